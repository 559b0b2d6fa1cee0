# Queues on disk: the functions of package queue.
#
# A queue is a small database (src/queue.h) with three tables, `input`, `shelf` and
# `output`, each first in, first out; a plain queue uses the first of them only. A
# value is a raw vector to it (job_pack()). A handle reopens itself where it finds
# itself in another process than the one that opened it.

#' Queues on disk
#'
#' A queue holds R objects in a directory. Any number of processes of one machine may
#' add and take at the same time; what was added is there after a crash or a power cut.
#'
#' A plain queue (`create_queue()`) has a front and a back. A job queue
#' (`create_job_queue()`) has an input queue, a shelf for what is being worked on, and an
#' output queue: `enqueue()` adds to the input, `input2shelf()` moves its first element
#' to the shelf, `shelf2output()` takes that off the shelf and adds its result to the
#' output, where `dequeue()` takes it.
#'
#' ```
#' enqueue() -> input -- input2shelf() -> shelf -- shelf2output() -> output -> dequeue()
#'              peek()  <- shelf2input() --
#' ```
#'
#' Each function is one transaction: after a kill at any moment it is done, or not begun.
#'
#' @section Differences from package queue:
#' - Equal values are elements of their own, and leave in the order they came in; so do
#'   those that `shelf2input()` puts back (there: in the order of their hashes).
#' - To create a queue where there is one is an error; there it empties it.
#' - An empty queue is a `pool_queue_empty_error`, in `peek()` too; the message is as there.
#' - `shelf_list()` gives the values, as `shelf_get()` does; there with their salts.
#' - `delete_queue()` of a path removes nothing but a queue.
#' - A queue that a forked or another process gets, in a list or a file, opens itself anew.
#' - Files are readable by their owner only, and no random numbers are drawn.
#' - A queue grows as needed: `mapsize` and `...`, which LMDB's interface took there, are
#'   checked (`mapsize`) and otherwise ignored.
#'
#' @section Trust:
#' To read a value is to [unserialize()] it, and what somebody else wrote may be code that
#' runs then. So a queue that belongs to another user is refused. It must be on a local file
#' system: on one of a network, its locks are not to be relied on.
#'
#' @param qfile The queue's directory, a path; it must not be there when it is created, its
#'   parent must.
#' @param mapsize A number, a hint, or `NULL`.
#' @param ... For `create_queue()`, `init_queue()` and those of job queues: ignored. Else
#'   for methods.
#' @param x A queue, or a job queue; or one of the two queues of a cluster, see
#'   [cluster_join()]. For `delete_queue()` also a path, for `is_empty()` anything.
#' @param val An R object.
#' @param key An element on the shelf: the `key` that `input2shelf()` gave, a string.
#' @return
#' - `create_queue()` (invisibly), `init_queue()`: a queue, of class `queue`; those of job
#'   queues: of class `job_queue`. `init_` opens what is there.
#' - `dequeue()`: the first element, which is removed; of a job queue, of its output.
#' - `peek()`: the first element, which stays; of a job queue, of its input.
#' - `is_empty()`, `is_empty_input()`, `is_empty_output()`: `TRUE` or `FALSE`. Of a job
#'   queue `is_empty()` means input, shelf and output; of anything but a queue it is
#'   `length(x) == 0`.
#' - `input2shelf()`: a list of `key` (a string that begins with `"shelf_"`) and `value`.
#' - `shelf_list()`: the values on the shelf, a list, its names the keys. `shelf_get()`: one
#'   of them. `any_shelf()`: how many there are.
#' - The others: `NULL`, invisibly.
#' @section Errors: [job_conditions]: `pool_queue_empty_error`; `pool_job_exists_error`;
#'   `pool_job_absent_error` for a queue or a key that is not there;
#'   `pool_job_format_error`; `pool_job_corrupt_error`.
#' @source The interface is that of package queue by Roger D. Peng.
#' @seealso [threadpool] for work on many elements.
#' @examples
#' x <- create_queue(tempfile("queue"))
#' enqueue(x, 1)
#' enqueue(x, letters)
#' peek(x)
#' dequeue(x)
#' is_empty(x)
#' delete_queue(x)
#'
#' jobs <- create_job_queue(tempfile("jobs"))
#' enqueue(jobs, 16)
#' task <- input2shelf(jobs)
#' shelf2output(jobs, task$key, sqrt(task$value))
#' dequeue(jobs)
#' delete_queue(jobs)
#' @name queue
NULL

#' @rdname queue
#' @export
create_queue <- function(qfile, mapsize = 2^30, ...) {
  invisible(make_queue(qfile, mapsize, "queue", create = TRUE))
}

#' @rdname queue
#' @export
init_queue <- function(qfile, mapsize = 2^30, ...) {
  make_queue(qfile, mapsize, "queue", create = FALSE)
}

#' @rdname queue
#' @export
create_job_queue <- function(qfile, mapsize = 2^30, ...) {
  invisible(make_queue(qfile, mapsize, "job_queue", create = TRUE))
}

#' @rdname queue
#' @export
init_job_queue <- function(qfile, mapsize = 2^30, ...) {
  make_queue(qfile, mapsize, "job_queue", create = FALSE)
}

#' @rdname queue
#' @export
enqueue <- function(x, val, ...) UseMethod("enqueue")

#' @rdname queue
#' @export
dequeue <- function(x, ...) UseMethod("dequeue")

#' @rdname queue
#' @export
peek <- function(x, ...) UseMethod("peek")

#' @rdname queue
#' @export
is_empty <- function(x, ...) UseMethod("is_empty")

#' @rdname queue
#' @export
is_empty_input <- function(x, ...) UseMethod("is_empty_input")

#' @rdname queue
#' @export
is_empty_output <- function(x, ...) UseMethod("is_empty_output")

#' @rdname queue
#' @export
input2shelf <- function(x, ...) UseMethod("input2shelf")

#' @rdname queue
#' @export
shelf2output <- function(x, key, val, ...) UseMethod("shelf2output")

#' @rdname queue
#' @export
shelf2input <- function(x, ...) UseMethod("shelf2input")

#' @rdname queue
#' @export
shelf_list <- function(x, ...) UseMethod("shelf_list")

#' @rdname queue
#' @export
shelf_get <- function(x, key, ...) UseMethod("shelf_get")

#' @rdname queue
#' @export
any_shelf <- function(x, ...) UseMethod("any_shelf")

#' @rdname queue
#' @export
delete_queue <- function(x, ...) UseMethod("delete_queue")
