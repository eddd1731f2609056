# Pushes a new tag. Prints `done`, or `rejected` if the tag exists.
# $1: the commit; $2: the tag
push_ref "$1:refs/tags/$2"
echo 'done'
