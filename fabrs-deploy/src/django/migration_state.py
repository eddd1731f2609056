# Prints the migration state as a line of JSON: the pending migrations of this code, and the applied
# migrations that are unknown to this code.
import json
import os

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations import operations
from django.db.migrations.executor import MigrationExecutor
from django.db.models import NOT_PROVIDED

executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
loader = executor.loader


def field_of(state, app, model, name):
    found = state.models.get((app, model.lower()))
    return found.fields.get(name) if found else None


def has_column(field):
    return not field.many_to_many and not getattr(field, "generated", False)


def strict(field):
    """Returns True if an insert without this column fails: NOT NULL, and no default in the database."""
    has_default = getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED
    return has_column(field) and not field.null and not has_default and not field.primary_key


def flat(ops):
    for op in ops:
        if isinstance(op, operations.SeparateDatabaseAndState):
            yield from flat(op.database_operations)
        else:
            yield op


def summary(migration, state):
    """Returns the changes of a migration that affect code without this migration."""
    app, drops, renames, adds, opaque = migration.app_label, [], [], [], []
    removals = True
    for op in flat(migration.operations):
        if isinstance(op, operations.DeleteModel):
            drops.append([app, op.name, None, False])
        elif isinstance(op, operations.RemoveField):
            field = field_of(state, app, op.model_name, op.name)
            drops.append([app, op.model_name, op.name, bool(field) and strict(field)])
        else:
            removals = False
            if isinstance(op, operations.RenameModel):
                renames.append([app, op.old_name, None, False])
            elif isinstance(op, operations.RenameField):
                renames.append([app, op.model_name, op.old_name, False])
            elif isinstance(op, operations.AddField) and strict(op.field):
                adds.append([app, op.model_name, op.name, True])
            elif isinstance(op, operations.AlterField) and strict(op.field):
                before = field_of(state, app, op.model_name, op.name)
                if before is not None and not strict(before):
                    adds.append([app, op.model_name, op.name, True])
            elif isinstance(op, (operations.RunPython, operations.RunSQL)):
                opaque.append(op.__class__.__name__)
    return {"drops": drops, "renames": renames, "adds": adds, "opaque": opaque, "is_removal": removals}


state = executor._create_project_state(with_applied_migrations=True)
pending = []
for migration, _ in executor.migration_plan(loader.graph.leaf_nodes()):
    pending.append({
        "app": migration.app_label,
        "name": migration.name,
        "descriptions": [op.describe() for op in migration.operations],
        **summary(migration, state),
    })
    state = migration.mutate_state(state, preserve=False)

models, folders, nullable = {}, {}, []
for model in apps.get_models(include_auto_created=True):
    fields = models.setdefault(model._meta.app_label, {}).setdefault(model._meta.model_name, [])
    fields.extend(field.name for field in model._meta.local_fields + model._meta.local_many_to_many)
    nullable.extend("%s.%s.%s" % (model._meta.app_label, model._meta.model_name, field.name)
                    for field in model._meta.local_fields if field.null)
for config in apps.get_app_configs():
    path = os.path.relpath(config.path)
    if not path.startswith("..") and not os.path.realpath(config.path).count("site-packages"):
        folders["" if path == "." else path] = config.label

print("fabrs:" + json.dumps({
    "pending": pending,
    "unknown": sorted("%s.%s" % key for key in loader.applied_migrations if key not in loader.disk_migrations),
    "applied": sorted("%s.%s" % key for key in loader.applied_migrations),
    "models": models,
    "folders": folders,
    "nullable": nullable,
}))
