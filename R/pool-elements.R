# What a call goes through, as plain vectors, and what its value is named.

# What is not a plain vector as one, an element of which is what lapply() on a
# node would see; an object is subset first, as parallel does it.
as_elements <- function(X) {
  as.list(X[seq_along(X)])
}

is_plain <- function(x) {
  is.vector(x) && !is.object(x) && !is.expression(x)
}

map_length <- function(args, recycle) {
  if (length(args) == 0L) {
    stop_input("...", args, "need at least one argument")
  }
  n <- lengths(args)
  if (!recycle) {
    return(min(n))
  }
  if (max(n) > 0L && min(n) == 0L) {
    stop_input("...", args,
      "zero-length inputs cannot be mixed with those of non-zero length"
    )
  }
  max(n)
}

# One vector of pool_map(), of n elements at least, as a plain one.
map_column <- function(x, n) {
  if (is_plain(x)) x else lapply(seq_len(n), function(i) x[[i]])
}

# What becomes the value, with its names; clusterMap()'s own errors where they
# do not fit, only before the work.
map_shell <- function(first, n, use_names) {
  shell <- if (n > 0L) vector("list", n)
  names <- names(first)
  if (is.null(names) && is.character(first)) {
    names <- first
  }
  if (use_names && !is.null(names)) {
    names(shell) <- names
  }
  shell
}
