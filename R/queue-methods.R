# What queues and job queues do: one call of C each.

make_queue <- function(qfile, mapsize, class, create) {
  path <- check_path(qfile, "qfile")
  check_mapsize(mapsize)
  handle <- new.env(parent = emptyenv())
  handle$path <- path
  open_queue(handle, create)
  structure(list(queue = handle, path = qfile), class = class)
}

# A path that still leads there when the working directory is another one.
check_path <- function(path, argument) {
  path <- path.expand(check_text(path, argument, 1L))
  if (!nzchar(path)) {
    stop_input(argument, path, "'", argument, "' must be a path, not an empty string")
  }
  enc2native(file.path(normalizePath(dirname(path), mustWork = FALSE), basename(path)))
}

check_mapsize <- function(mapsize) {
  if (!is.null(mapsize)) {
    check_number(mapsize, "mapsize", 1)
  }
  invisible(mapsize)
}

open_queue <- function(handle, create = FALSE) {
  handle$pointer <- .Call(C_queue_open, handle$path, create)
  handle$pid <- Sys.getpid()
}

# What C takes. A forked process has its parent's handle, one that was sent a handle
# that points nowhere.
queue_pointer <- function(x) {
  handle <- x$queue
  if (!identical(handle$pid, Sys.getpid()) || .Call(C_queue_is_closed, handle$pointer)) {
    open_queue(handle)
  }
  handle$pointer
}

queue_push <- function(x, table, val) {
  if (missing(val)) {
    stop_missing("val")
  }
  force(val) # an error of its own is not one of the queue
  .Call(C_queue_push, queue_pointer(x), table, list(job_pack(val)))
  invisible(NULL)
}

queue_first <- function(x, table, what) {
  found <- .Call(C_queue_peek, queue_pointer(x), table)
  if (is.null(found)) stop_queue_empty(what)
  job_unpack(found$value)
}

# What cannot be handed over is put back, behind the others.
queue_shift <- function(x, table, what, to = NULL) {
  pointer <- queue_pointer(x)
  found <- .Call(C_queue_shift, pointer, table, to)
  if (is.null(found)) stop_queue_empty(what)
  bytes <- found$value
  on.exit(if (!is.null(bytes) && is.null(to)) .Call(C_queue_push, pointer, table, list(bytes)))
  found$value <- job_unpack(bytes)
  bytes <- NULL
  found
}

queue_length <- function(x, table) .Call(C_queue_count, queue_pointer(x), table)

#' @export
enqueue.queue <- function(x, val, ...) queue_push(x, "input", val)

#' @export
enqueue.job_queue <- enqueue.queue

#' @export
dequeue.queue <- function(x, ...) queue_shift(x, "input", "queue")$value

#' @export
dequeue.job_queue <- function(x, ...) queue_shift(x, "output", "output queue")$value

#' @export
peek.queue <- function(x, ...) queue_first(x, "input", "queue")

#' @export
peek.job_queue <- function(x, ...) queue_first(x, "input", "input queue")

#' @export
is_empty.default <- function(x, ...) length(x) == 0L

#' @export
is_empty.queue <- function(x, ...) queue_length(x, "input") == 0

#' @export
is_empty.job_queue <- function(x, ...) {
  is_empty_input(x) && any_shelf(x) == 0 && is_empty_output(x)
}

#' @export
is_empty_input.job_queue <- function(x, ...) queue_length(x, "input") == 0

#' @export
is_empty_output.job_queue <- function(x, ...) queue_length(x, "output") == 0

#' @export
any_shelf.job_queue <- function(x, ...) queue_length(x, "shelf")

shelf_key <- function(number) sprintf("shelf_%.0f", number)

# The number of an element on the shelf, of its key.
shelf_number <- function(key) {
  check_strings(key, "key", 1L)
  if (!matches("^shelf_[0-9]{1,15}$", key)) {
    stop_input("key", key, "'key' must be one that input2shelf() gave, not ", given(key))
  }
  as.numeric(sub("shelf_", "", key, fixed = TRUE))
}

#' @export
input2shelf.job_queue <- function(x, ...) {
  found <- queue_shift(x, "input", "input queue", to = "shelf")
  list(key = shelf_key(found$key), value = found$value)
}

#' @export
shelf2output.job_queue <- function(x, key, val, ...) {
  number <- shelf_number(key)
  moved <- .Call(C_queue_move, queue_pointer(x), "shelf", number, "output", job_pack(val))
  if (!moved) stop_queue_key(x$path, key)
  invisible(NULL)
}

#' @export
shelf2input.job_queue <- function(x, ...) {
  if (.Call(C_queue_move_all, queue_pointer(x), "shelf", "input") == 0) {
    stop_queue_empty("shelf")
  }
  invisible(NULL)
}

#' @export
shelf_list.job_queue <- function(x, ...) {
  found <- .Call(C_queue_list, queue_pointer(x), "shelf")
  values <- lapply(found$value, job_unpack)
  names(values) <- shelf_key(found$key)
  values
}

#' @export
shelf_get.job_queue <- function(x, key, ...) {
  value <- .Call(C_queue_get, queue_pointer(x), "shelf", shelf_number(key))
  if (is.null(value)) stop_queue_key(x$path, key)
  job_unpack(value)
}

#' @export
delete_queue.queue <- function(x, ...) {
  .Call(C_queue_delete, x$queue$path)
  invisible(NULL)
}

#' @export
delete_queue.job_queue <- delete_queue.queue

#' @export
delete_queue.character <- function(x, ...) {
  .Call(C_queue_delete, check_path(x, "x"))
  invisible(NULL)
}

#' @export
format.queue <- function(x, ...) sprintf("<queue: %s>", basename(x$path))

#' @export
print.queue <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @export
format.job_queue <- function(x, ...) sprintf("<job_queue: %s>", basename(x$path))

#' @export
print.job_queue <- print.queue

stop_not_queue <- function(x, what = "a queue") {
  stop_input("x", x, "'x' must be ", what, ", not ",
    if (is.object(x)) given_kind(x) else given(x))
}

#' @export
enqueue.default <- function(x, val, ...) stop_not_queue(x)
#' @export
dequeue.default <- function(x, ...) stop_not_queue(x)
#' @export
peek.default <- function(x, ...) stop_not_queue(x)
#' @export
delete_queue.default <- function(x, ...) stop_not_queue(x, "a queue or the path of one")
#' @export
is_empty_input.default <- function(x, ...) stop_not_queue(x, "a job queue")
#' @export
is_empty_output.default <- function(x, ...) stop_not_queue(x, "a job queue")
#' @export
input2shelf.default <- function(x, ...) stop_not_queue(x, "a job queue")
#' @export
shelf2output.default <- function(x, key, val, ...) stop_not_queue(x, "a job queue")
#' @export
shelf2input.default <- function(x, ...) stop_not_queue(x, "a job queue")
#' @export
shelf_list.default <- function(x, ...) stop_not_queue(x, "a job queue")
#' @export
shelf_get.default <- function(x, key, ...) stop_not_queue(x, "a job queue")
#' @export
any_shelf.default <- function(x, ...) stop_not_queue(x, "a job queue")
