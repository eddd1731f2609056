# Adds the snapshot to a manifest: the JSON of an object with several fields, in one line.
# $1: the manifest; $2: the file of the snapshot, as a JSON string
set -eu
manifest=$(cat -- "$1")
case $manifest in
    *'}') printf '%s,"snapshot_file":%s}\n' "${manifest%'}'}" "$2" > "$1.new" && mv -- "$1.new" "$1" ;;
    *) echo "not a manifest: $1" >&2 && exit 1 ;;
esac
