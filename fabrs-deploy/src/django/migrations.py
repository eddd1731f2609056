# Says, as a line of JSON, what is to be done to the database, and what was done to it that this code does not know.
import json

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor

executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
loader = executor.loader


def drops(ops, app):
    """Yields what operations take away from whoever still uses it: a model, and a field of it or none."""
    for op in ops:
        if isinstance(op, operations.SeparateDatabaseAndState):
            yield from drops(op.database_operations, app)
        elif isinstance(op, operations.DeleteModel):
            yield [app, op.name, None]
        elif isinstance(op, operations.RemoveField):
            yield [app, op.model_name, op.name]
        elif isinstance(op, operations.RenameModel):
            yield [app, op.old_name, None]
        elif isinstance(op, operations.RenameField):
            yield [app, op.model_name, op.old_name]


pending = []
for migration, _ in executor.migration_plan(loader.graph.leaf_nodes()):
    pending.append({
        "app": migration.app_label,
        "name": migration.name,
        "does": [op.describe() for op in migration.operations],
        "drops": list(drops(migration.operations, migration.app_label)),
    })

models = {}
for model in apps.get_models(include_auto_created=True):
    fields = models.setdefault(model._meta.app_label, {}).setdefault(model._meta.model_name, [])
    fields.extend(field.name for field in model._meta.local_fields)

print("fabrs:" + json.dumps({
    "pending": pending,
    "unknown": sorted("%s.%s" % key for key in loader.applied_migrations if key not in loader.disk_migrations),
    "models": models,
}))
