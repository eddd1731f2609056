# Prints the state of a site that is a work tree, one fact a line. Variables: root, and the names of
# the files in its .git directory.
# shellcheck shell=sh disable=SC2154
echo "tree $root"
print_folder_identity
# The lock of a work tree is in the .git directory.
(cd "$root"/.git 2> /dev/null && { print_lock_holder; print_migration_log; })
if [ -e "$root/.git/$drained" ]; then echo "drained $drained"; fi
if [ -e "$root/.git/$manual_lock" ]; then printf 'manual-lock %s\n' "$(tr '\n' ' ' < "$root/.git/$manual_lock")"; fi
cd "$root" 2> /dev/null && git rev-parse --verify --quiet HEAD > /dev/null || exit 0
if [ -f ".git/$accepted" ]; then printf 'tree-accepted %s\n' "$(tr '\n' ' ' < ".git/$accepted")"; fi
echo "head $(git rev-parse HEAD)"
git --no-optional-locks status --porcelain --untracked-files=no | sed 's/^.. /dirty /'
