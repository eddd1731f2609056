# Parses migrations without running them. Reads a JSON list of [path, text] pairs from stdin, and prints a
# JSON list of the operations of each file.
import ast
import json
import sys

PARAMETERS = {
    "AddField": ["model_name", "name", "field"],
    "AlterField": ["model_name", "name", "field"],
    "RemoveField": ["model_name", "name"],
    "RenameField": ["model_name", "old_name", "new_name"],
    "RenameModel": ["old_name", "new_name"],
    "CreateModel": ["name"],
    "DeleteModel": ["name"],
}


def last(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def arguments(call, kind):
    given = dict(zip(PARAMETERS.get(kind, []), call.args))
    given.update((keyword.arg, keyword.value) for keyword in call.keywords)
    return given


def text(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "?"


def is_true(node):
    return isinstance(node, ast.Constant) and node.value is True


def is_strict(field):
    """Returns True if an insert without this column fails."""
    if not isinstance(field, ast.Call) or last(field.func) == "ManyToManyField":
        return False
    given = {keyword.arg: keyword.value for keyword in field.keywords}
    return not (is_true(given.get("null")) or "db_default" in given or is_true(given.get("primary_key"))
                or last(field.func) == "GeneratedField")


def flat(calls):
    for call in calls:
        if not isinstance(call, ast.Call):
            yield "operation computed at run time: see the file", {}
            continue
        kind = last(call.func)
        given = arguments(call, kind)
        if kind == "SeparateDatabaseAndState":
            inner = given.get("database_operations")
            yield from flat(inner.elts if isinstance(inner, ast.List) else [])
        else:
            yield kind, given


def read(source):
    descriptions, drops, renames, adds, alters, removals = [], [], [], [], [], True
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {"descriptions": ["cannot be parsed by this Python: see the file"], "drops": [], "renames": [], "adds": [], "alters": [],
                "is_removal": False}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ClassDef) and node.name == "Migration"):
            continue
        for statement in node.body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
            if not isinstance(target, ast.Name) or target.id != "operations":
                continue
            if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or not isinstance(statement.value, ast.List):
                descriptions.append("operations computed at run time: see the file")
                removals = False
                continue
            for kind, given in flat(statement.value.elts):
                model, name = text(given.get("model_name")), text(given.get("name"))
                removals &= kind in ("RemoveField", "DeleteModel")
                if kind == "AddField":
                    descriptions.append("Add field %s to %s" % (name, model))
                    if is_strict(given.get("field")):
                        adds.append([model, name])
                elif kind == "RemoveField":
                    descriptions.append("Remove field %s from %s" % (name, model))
                    drops.append([model, name])
                elif kind == "DeleteModel":
                    descriptions.append("Delete model %s" % name)
                    drops.append([name, None])
                elif kind == "RenameField":
                    descriptions.append("Rename field %s on %s to %s" % (text(given.get("old_name")), model, text(given.get("new_name"))))
                    renames.append([model, text(given.get("old_name"))])
                elif kind == "RenameModel":
                    descriptions.append("Rename model %s to %s" % (text(given.get("old_name")), text(given.get("new_name"))))
                    renames.append([text(given.get("old_name")), None])
                elif kind == "CreateModel":
                    descriptions.append("Create model %s" % name)
                elif kind == "AlterField":
                    descriptions.append("Alter field %s on %s" % (name, model))
                    if is_strict(given.get("field")):
                        alters.append([model, name])
                else:
                    descriptions.append(kind)
    return {"descriptions": descriptions, "drops": drops, "renames": renames, "adds": adds, "alters": alters, "is_removal": removals}


print("fabrs:" + json.dumps([read(source) for _, source in json.load(sys.stdin)]))
