# Reads requirements files and the files that they include. Prints a key of all contents (`key`), the
# lines without exactly one version (`unpinned`), and the lines with a path in the release (`local`).
import hashlib, os, re, sys

key = hashlib.sha256(sys.version.encode())
seen = set()


def read(path, constraints):
    path = os.path.normpath(path)
    if path in seen:
        return
    seen.add(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        sys.exit("the release has no file %s" % path)
    key.update(text.encode())
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        local = re.match(r"(-e|--editable)\b|[./~]|[\w\[\],. -]+@\s*(file:|[./])|file:", line)
        if local:
            print("local", line)
        named = re.match(r"(?:-r|--requirement|(-c|--constraint))[\s=]*(.+)$", line)
        if named:
            read(os.path.join(os.path.dirname(path), named.group(2)), bool(named.group(1)))
        elif line and not local and not line.startswith("-") and not constraints and not pinned(line):
            print("unpinned", line)


def pinned(line):
    needed = line.split(";")[0].split(" --")[0]
    return "@" in needed or "://" in needed or bool(re.search(r"===?\s*[^*,]+$", needed))


key.update(sys.argv[1].encode())
for path in sys.argv[2:]:
    read(path, False)
print("key", key.hexdigest()[:16])
