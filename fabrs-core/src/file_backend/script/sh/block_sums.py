# Prints the SHA-256 of each MiB of a file.
import hashlib, sys
with open(sys.argv[1], "rb") as f:
    for b in iter(lambda: f.read(1 << 20), b""): sys.stdout.write(hashlib.sha256(b).hexdigest() + "\0")
