# Functions of survey.sh and survey_work_tree.sh. The caller sets $root.
# shellcheck shell=sh disable=SC2154
case $root in "~/"*) root=$HOME/${root#"~/"} ;; esac

# Prints the boot id of the machine, and the device and inode of the nearest existing directory of
# $root. Two names of one directory have the same identity.
print_folder_identity() (
    path=$root; rest=
    while [ ! -d "$path" ]; do
        rest=/${path##*/}$rest; path=${path%/*}
        [ -n "$path" ] || path=/
    done
    boot=$(cat /proc/sys/kernel/random/boot_id 2> /dev/null)
    printf 'identity %s %s%s\n' "$boot" "$(stat -L -c %d:%i "$path")" "$rest"
)

# Prints the holder of the lock in the current directory. The test first locks deploy.lock.turn, as
# each run does before it tries deploy.lock. Otherwise a run could mistake this test for a holder.
print_lock_holder() {
    if [ -s deploy.lock ] && (flock 8 && ! flock -n 9) 8< deploy.lock.turn 9< deploy.lock 2> /dev/null; then
        phase=$(cat deploy.lock.phase 2> /dev/null || echo -)
        printf 'holder %s %s\n' "$phase" "$(tr '\n' ' ' < deploy.lock)"
    fi
}

# Prints the last entries of the migration log in the current directory.
print_migration_log() { tail -n 50 migrations.log 2> /dev/null | sed 's/^/migrated /'; }
