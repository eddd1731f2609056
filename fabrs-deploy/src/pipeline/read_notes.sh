# Prints `known`, then each note in the format of `git cat-file --batch`: size, commit, content.
# $1 and all further arguments: the commits
fetch_notes
echo known
[ -n "$tip" ] || exit 0
# The path of a note is the id of its commit, split into directories.
git ls-tree -r --full-tree "$tip" |
    awk -v commits="$*" 'BEGIN { count = split(commits, all, " "); for (n = 1; n <= count; n++) wanted[all[n]] = 1 }
        { path = $4; gsub("/", "", path); if ($2 == "blob" && path in wanted) print $3, path }' |
    git cat-file --batch='%(objectsize) %(rest)'
