# Loads the WSGI application, and prints the last migration of each application.
import json
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.utils.module_loading import import_string
if getattr(settings, 'WSGI_APPLICATION', None):
    import_string(settings.WSGI_APPLICATION)
print('fabrs:' + json.dumps(sorted('%s.%s' % leaf for leaf in MigrationLoader(None).graph.leaf_nodes())))
