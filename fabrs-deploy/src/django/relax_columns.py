# Makes columns nullable until their deferred drop: the new release no longer writes these columns.
import json

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor

connection = connections[DEFAULT_DB_ALIAS]
executor = MigrationExecutor(connection)
state = executor._create_project_state(with_applied_migrations=True)
for app, model, name in json.loads(COLUMNS):
    field = state.models[app, model.lower()].fields[name].clone()
    field.null = True
    operation, after = operations.AlterField(model, name, field), state.clone()
    operation.state_forwards(app, after)
    with connection.schema_editor() as editor:
        operation.database_forwards(app, editor, state, after)
    state = after
