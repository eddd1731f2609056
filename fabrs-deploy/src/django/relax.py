# Lets columns be empty whose removal waits for the new release: it does not fill them in any more.
import json

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

connection = connections[DEFAULT_DB_ALIAS]
executor = MigrationExecutor(connection)
state = executor._create_project_state(with_applied_migrations=True)
for app, model, name in json.loads(COLUMNS):
    model = state.apps.get_model(app, model)
    old = model._meta.get_field(name)
    new = old.clone()
    new.null = True
    new.set_attributes_from_name(name)
    new.model = model
    with connection.schema_editor() as editor:
        editor.alter_field(model, old, new)
