# What is uploaded from a connection, and downloaded into one: in memory as long as
# it is small, else by way of a file of the session's own directory, so that a
# connection may be larger than memory.

SPOOL_PART <- 2^20 # bytes
SPOOL_PARTS <- 16L # so many are kept in memory

# Of a raw connection all that it holds, wherever it is: who has just written to it
# means that.
read_connection <- function(con, argument) {
  if (inherits(con, "rawConnection")) {
    if (summary(con)[["can read"]] != "yes") {
      return(rawConnectionValue(con))
    }
    seek(con, 0)
  }
  if (isOpen(con)) {
    check_readable(con, argument)
  }
  if (inherits(con, "textConnection")) {
    return(charToRaw(paste(enc2utf8(readLines(con)), collapse = "\n")))
  }
  if (!isOpen(con)) {
    open(con, "rb") # and left so: to close it is to end it
  }
  read_rest(con)
}

# What is left in a connection that is open for bytes: a raw vector, or once that
# is large a file of ours.
read_rest <- function(con) {
  parts <- list()
  while (length(parts) < SPOOL_PARTS) {
    part <- readBin(con, "raw", SPOOL_PART)
    if (!length(part)) {
      return(do.call(c, c(list(raw()), parts)))
    }
    parts[[length(parts) + 1L]] <- part
  }
  path <- tempfile("pool-upload-")
  whole <- FALSE
  on.exit(if (!whole) unlink(path))
  file <- file(path, "wb")
  size <- tryCatch({
    for (part in parts) writeBin(part, file)
    parts <- lengths(parts)
    sum(parts) + copy_connection(con, file)
  }, finally = close(file))
  # Where the disk is full R only warns.
  if (!identical(file.size(path), size)) {
    stop_spool(size)
  }
  whole <- TRUE
  structure(path, class = "pool_spooled")
}

# How many bytes there were.
copy_connection <- function(from, to) {
  size <- 0
  while (length(part <- readBin(from, "raw", SPOOL_PART))) {
    writeBin(part, to)
    size <- size + length(part)
  }
  size
}

# Removes those files among what is uploaded that were made for it.
drop_spooled <- function(local) {
  for (path in Filter(is_spooled, local)) unlink(path)
}

is_spooled <- function(x) inherits(x, "pool_spooled")

# Of a file of ours into the connection that the user has asked for.
write_spooled <- function(path, con) {
  file <- file(path, "rb")
  on.exit(close(file))
  copy_connection(file, con)
}

check_readable <- function(con, argument) {
  about <- summary(con)
  if (about[["can read"]] != "yes") {
    stop_input(argument, NULL, "'", argument, "' is a connection that is open only for writing")
  }
  if (about$text != "binary" && !inherits(con, "textConnection")) {
    stop_input(argument, NULL, "'", argument, "' is a connection that is open for text, where ",
      "bytes are read: open it with \"rb\", or leave it closed")
  }
}
