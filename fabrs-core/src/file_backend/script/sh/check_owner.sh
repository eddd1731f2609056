# Reports a difference unless the target has the requested owner. `find` fails for an unknown user.
x=$(find "$t" -prune ! \(__BELONGS__ \) -print) && [ -z "$x" ] || differs
