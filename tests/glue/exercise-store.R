# As exercise.R, of jobs and queues in directories.

store_function <- function(name) getFromNamespace(name, "pool")

# ---- jobs ----

make_job <- function(session, path) {
  store <- store_function("store_directory")(path)
  create <- store_function("store_create_job")
  tasks <- list(as.raw(1:3), raw(), as.raw(rep_len(0:255, 70000)), as.raw(4))
  job <- session(create(store, "job", as.raw(1:9), tasks))
  e <- session(failure(create(store, "job", raw(), list())))
  stopifnot(inherits(e, "pool_job_exists_error"))
  e <- session(failure(store_function("store_open_job")(store, "none")))
  stopifnot(inherits(e, "pool_job_absent_error"))
  again <- session(store_function("store_open_job")(store, "job"))
  stopifnot(identical(session(store_function("job_manifest")(again)), as.raw(1:9)))
  session(store_function("job_close")(again))
  stopifnot(identical(store_function("store_job_ids")(store), "job"))
  list(job = job, tasks = tasks)
}

work_on_job <- function(session, job, tasks) {
  stopifnot(identical(session(store_function("job_add")(job, list(as.raw(5)))), 5))
  got <- session(store_function("job_claim")(job, 9))
  stopifnot(identical(got$data, c(tasks, list(as.raw(5)))), identical(got$tries, integer(5)))
  commit <- store_function("job_commit")
  none <- session(commit(job, list(
    task = c(1, 3), status = c("completed", "failed"), result = list(tasks[[3]], raw()),
    seconds = c(1, 2)
  ), 1))
  stopifnot(identical(none$task, numeric()))
  e <- session(failure(commit(job, list(
    task = 77, status = "completed", result = list(raw()), seconds = 1
  ))))
  stopifnot(inherits(e, "pool_job_error"))
  e <- session(failure(store_function("job_add")(job, list(raw(), "no raw"))))
  stopifnot(inherits(e, "pool_job_error"))
  charge <- store_function("job_charge")
  stopifnot(identical(session(charge(job, 2, 1, as.raw(2))), "lost"))
  stopifnot(identical(session(charge(job, 4, 2, as.raw(2))), "again"))
  session(store_function("job_release")(job, 5))
}

look_at_job <- function(session, job, tasks) {
  found <- session(store_function("job_results")(job, 1, 10))
  stopifnot(
    identical(found$task, as.numeric(1:3)),
    identical(found$status, c("completed", "lost", "failed")),
    identical(found$result, list(tasks[[3]], as.raw(2), raw())),
    identical(found$seconds, c(1, NA, 2))
  )
  status <- session(store_function("job_status")(job))
  stopifnot(status$queued == 2, status$running == 0, status$lost == 1)
  stopifnot(identical(session(store_function("job_abandoned")(job)), numeric()))
  stopifnot(session(store_function("job_requeue")(job)) == 0)
}

files_of_job <- function(session, job) {
  put <- store_function("job_put_file")
  get <- store_function("job_get_file")
  session(put(job, "stdout/1.txt", charToRaw("printed")))
  from <- tempfile()
  writeBin(as.raw(1:100), from)
  session(put(job, "copied", from))
  stopifnot(identical(session(get(job, "copied")), as.raw(1:100)))
  files <- session(store_function("job_files")(job))
  stopifnot(identical(files$name, c("copied", "stdout/1.txt")), identical(files$size, c(100, 7)))
  stopifnot(inherits(session(failure(get(job, "none"))), "pool_job_absent_error"))
  stopifnot(inherits(session(failure(get(job, "stdout"))), "pool_job_error"))
  stopifnot(inherits(session(failure(put(job, "copied/1", raw()))), "pool_job_error"))
}

damage_job <- function(session, job) {
  large <- dir(file.path(job$store$path, job$id, "large"), full.names = TRUE)
  lapply(large, function(path) writeBin(raw(10), path))
  e <- session(failure(store_function("job_results")(job, 1, 1)))
  stopifnot(inherits(e, "pool_job_corrupt_error"), e$task == 1)
}

stores <- function(session) {
  made <- make_job(session, tempfile("store"))
  job <- made$job
  work_on_job(session, job, made$tasks)
  look_at_job(session, job, made$tasks)
  files_of_job(session, job)
  damage_job(session, job)
  session(store_function("job_terminate")(job))
  stopifnot(identical(session(store_function("job_claim")(job, 1))$task, numeric()))
  session(store_function("job_delete")(job))
  session(store_function("job_close")(job))
  e <- session(failure(store_function("job_status")(job)))
  stopifnot(inherits(e, "pool_job_error"))
}

# ---- queues ----

queues <- function(session) {
  path <- tempfile("queue")
  large <- as.raw(rep_len(0:255, 70000))
  x <- session(create_job_queue(path))
  stopifnot(inherits(session(failure(create_queue(path))), "pool_job_exists_error"))
  stopifnot(inherits(session(failure(dequeue(x))), "pool_queue_empty_error"))
  session(enqueue(x, large))
  session(enqueue(x, "two"))
  session(enqueue(x, "two"))
  stopifnot(identical(session(peek(x)), large))
  task <- session(input2shelf(x))
  stopifnot(identical(task$value, large), session(any_shelf(x)) == 1)
  stopifnot(identical(session(shelf_get(x, task$key)), large))
  stopifnot(identical(session(shelf_list(x)), stats::setNames(list(large), task$key)))
  session(shelf2output(x, task$key, large))
  stopifnot(inherits(session(failure(shelf_get(x, task$key))), "pool_job_absent_error"))
  stopifnot(identical(session(dequeue(x)), large))
  session(input2shelf(x))
  session(shelf2input(x))
  stopifnot(!session(is_empty(x)), !session(is_empty_input(x)))
  again <- unserialize(serialize(x, NULL))
  stopifnot(identical(session(peek(again)), "two"))
  session(delete_queue(x))
  stopifnot(inherits(session(failure(peek(x))), "pool_job_absent_error"))
}
