# Appends a record to the note of a commit, and pushes the notes. Prints `done`, `rejected` if
# another run pushed first, or `moved` if HEAD is not the expected commit.
# $1: a local ref of this run only; $2: the commit; $3: the record; $4: the expected HEAD, or empty
own=$1 commit=$2 record=$3
if [ -n "$4" ] && [ "$(git rev-parse HEAD)" != "$4" ]; then
    echo moved
    exit 0
fi
fetch_notes
trap 'quiet_git update-ref -d "$own"' EXIT
trap 'exit 129' HUP INT TERM
[ -z "$tip" ] || quiet_git update-ref "$own" "$tip"
# A CI machine often has no git identity. The record contains the user.
if ! git var GIT_AUTHOR_IDENT > /dev/null 2>&1 || ! git var GIT_COMMITTER_IDENT > /dev/null 2>&1; then
    export GIT_AUTHOR_NAME=fabrs GIT_AUTHOR_EMAIL=fabrs@localhost
    export GIT_COMMITTER_NAME=fabrs GIT_COMMITTER_EMAIL=fabrs@localhost
fi
quiet_git notes --ref="$own" append -m "$record" "$commit"
push_ref "$own:$ref"
quiet_git update-ref "$known" "$own" 2> /dev/null || :
echo 'done'
