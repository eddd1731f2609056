# Appends a record to the note of a commit, and pushes the notes. Prints `done`, `rejected` if
# another run pushed first, `moved` if HEAD is another commit than expected, or `changed` after a
# line about a tracked file with uncommitted changes.
# $1: the ref of this run; $2: the commit; $3: the record; $4: the expected commit of HEAD, or empty
# $5: `passed` or `failed`
own=$1 commit=$2 record=$3
if [ -n "$4" ] && [ "$(git rev-parse HEAD)" != "$4" ]; then
    echo moved
    exit 0
fi
if [ -n "$4" ] && [ "$5" = passed ]; then
    # Reports and caches of the work are untracked files.
    changed=$(git --no-optional-locks status --porcelain --untracked-files=no)
    if [ -n "$changed" ]; then
        printf '%s\n' "$changed" | head -n 1
        echo changed
        exit 0
    fi
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
quiet_git update-ref "$known" "$own" "$tip" 2> /dev/null || :
echo 'done'
