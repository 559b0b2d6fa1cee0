# The directory and the environment variables that a task of a loop has of its own.
#
# One that a task has left empty is the next one's, too: to make and remove one takes
# longer than a short task.

task_home <- function(task, id, room) {
  if (is.null(room$before)) {
    names <- c("AZ_BATCH_JOB_ID", "AZ_BATCH_TASK_ID", "AZ_BATCH_TASK_WORKING_DIR")
    room$before <- Sys.getenv(names, NA, names = TRUE)
  }
  if (is.null(room$home)) {
    # Not that of the task which this one's job is in.
    room$home <- tempfile("task-")
    dir.create(room$home)
  }
  Sys.setenv(
    AZ_BATCH_JOB_ID = id, AZ_BATCH_TASK_ID = format(task, scientific = FALSE),
    AZ_BATCH_TASK_WORKING_DIR = room$home
  )
  setwd(room$home)
}

task_home_tidy <- function(room) {
  home <- room$home
  if (!is.null(home) && (file.access(home, 7L) != 0L ||
    length(list.files(home, all.files = TRUE, no.. = TRUE)) > 0L)) {
    task_home_remove(room)
  }
}

task_home_remove <- function(room) {
  home <- room$home
  room$home <- NULL
  setwd(room$dir)
  unlink(home, recursive = TRUE)
}

task_home_leave <- function(room) {
  if (!is.null(room$home)) {
    task_home_remove(room)
  }
  before <- room$before
  if (is.null(before)) {
    return()
  }
  room$before <- NULL
  gone <- is.na(before)
  Sys.unsetenv(names(before)[gone])
  if (!all(gone)) {
    do.call(Sys.setenv, as.list(before[!gone]))
  }
}
