# Functions for the notes of a pipeline. The first three arguments of each script are the same.
# $1: the remote; $2: the notes ref in the remote; $3: the local ref with the last known notes
set -eu
export LC_ALL=C
remote=$1 ref=$2 known=$3
shift 3

# Runs git without hooks and without background work: a pre-push hook could run the tests again.
quiet_git() {
    git -c core.hooksPath=/dev/null -c gc.auto=0 -c maintenance.auto=false "$@"
}

# Fetches the notes, and sets `tip`: the commit of the notes, or nothing without notes. Ends the
# script with status 65 if the remote lacks the notes known to this clone.
fetch_notes() {
    # Read before the remote: another run may add newer notes to the ref at any time.
    old=$(git rev-parse --verify --quiet "$known") || old=
    tip=$(git ls-remote --quiet -- "$remote" "$ref")
    tip=$(printf '%s\n' "$tip" | awk -v ref="$ref" '$2 == ref { print $1 }')
    [ -z "$tip" ] || git cat-file -e "$tip^{commit}" 2> /dev/null ||
        quiet_git fetch --quiet --no-tags --no-write-fetch-head --no-recurse-submodules -- "$remote" "$ref"
    if [ -n "$old" ] && { [ -z "$tip" ] || ! git merge-base --is-ancestor "$old" "$tip"; }; then
        echo "$ref was rewritten: records known to this clone are missing" >&2
        exit 65
    fi
    [ -n "$tip" ] || return 0
    # The ref keeps the objects for the next fetch. Another run may update the ref at the same time.
    quiet_git update-ref "$known" "$tip" "$old" 2> /dev/null || :
}

# Pushes a refspec. Prints `rejected` and ends the script if another run pushed first.
push_ref() {
    if message=$(quiet_git push --quiet --no-follow-tags --recurse-submodules=no -- "$remote" "$1" 2>&1); then
        return 0
    fi
    case $message in
    *'[rejected]'* | *'failed to update ref'* | *'cannot lock ref'* | *'failed to lock'* | \
        *'incorrect old value'* | *'already exists'*)
        echo rejected
        exit 0
        ;;
    esac
    printf '%s\n' "$message" >&2
    exit 1
}
