test_that("the queue honours the visibility timeout: what leases stand on", {
  queue <- local_queue()
  put_queue_message(queue, "range", ttl = -1)
  one <- get_queue_messages(queue, visibility_timeout = 2)
  expect_identical(one$text, "range")
  expect_identical(nrow(get_queue_messages(queue)), 0L) # nobody else gets it
  receipt <- update_queue_message(queue, one$id, one$pop_receipt, visibility_timeout = 2)
  Sys.sleep(1.2)
  update_queue_message(queue, one$id, receipt, visibility_timeout = 2)
  Sys.sleep(1.2) # 2.4 seconds since it was got: renewed
  expect_identical(nrow(get_queue_messages(queue)), 0L)
  Sys.sleep(1.5)
  two <- get_queue_messages(queue, visibility_timeout = 30)
  expect_identical(two$id, one$id)
  expect_identical(two$dequeue_count, 2L)
  e <- http_failure(update_queue_message(queue, one$id, receipt))
  expect_true(e$code %in% c("PopReceiptMismatch", "MessageNotFound"))
})

test_that("a job is made, opened, run, read and deleted", {
  store <- account_store()
  job <- local_account_job(40, store = store)
  expect_identical(job_manifest(job), charToRaw("the manifest"))
  expect_true(job$id %in% store_job_ids(store))
  expect_identical(counts(job), c(tasks = 40, queued = 40, running = 0, completed = 0,
    failed = 0, lost = 0))
  expect_identical(job_status(job)$state, "active")

  other <- store_open_job(store, job$id)
  expect_identical(other$id, job$id)
  expect_identical(job_manifest(other), charToRaw("the manifest"))
  got <- job_claim(other, 3)
  expect_identical(got$task, c(1, 2, 3))
  expect_identical(got$data, some_tasks(3))
  expect_identical(got$tries, c(0L, 0L, 0L))
  expect_identical(counts(job)[c("queued", "running")], c(queued = 37, running = 3))
  none <- finish(other, got)
  expect_identical(none, list(task = numeric(), data = list(), tries = integer()))
  expect_identical(counts(job)[c("queued", "completed")], c(queued = 37, completed = 3))

  # Part of the results, while it runs.
  found <- job_results(job, 2, 10)
  expect_identical(found$task, c(2, 3))
  expect_identical(found$status, rep("completed", 2))
  expect_identical(lapply(found$result, unserialize), list(4, 9))
  expect_identical(job_results(job, 20, 5)$task, numeric())
  expect_identical(job_results(job, 1000, 5)$task, numeric())

  expect_setequal(run_all(job), 4:40)
  expect_all_right(other, 40)
  expect_identical(job_claim(other, 1)$task, numeric())
  expect_identical(peek_queue_messages(queue_of(job))$text, character())

  job_close(other)
  job_close(other)
  expect_error(job_claim(other, 1), class = "pool_job_error")
  job_delete(job)
  expect_false(job$id %in% store_job_ids(store))
  expect_error(store_open_job(store, job$id), class = "pool_job_absent_error")
  expect_false(job$state$container$name %in% names(list_storage_queues(store$queue)))
})

test_that("a result of its own is what readRDS() reads; where short ones are", {
  job <- local_account_job(5)
  run_all(job)
  expect_setequal(blobs_of(job, "results/"), sprintf("results/%d-result.rds", 1:5))
  file <- withr::local_tempfile()
  download_blob(job$state$container, "results/3-result.rds", file)
  expect_identical(readRDS(file), 9)
  expect_true(all(c(paste0(job$id, ".rds"), paste0(job$id, "-metadata")) %in% blobs_of(job)))

  many <- local_account_job(500)
  run_all(many, 100)
  expect_lt(length(blobs_of(many, "results/")), 30)
  expect_all_right(many, 500)
  long <- local_account_job(100)
  run_all(long, 20, seconds = 1.5)
  expect_length(blobs_of(long, "results/"), 100)
  expect_all_right(long, 100)
})

test_that("the first result counts, in whatever blob", {
  job <- local_account_job(100)
  write <- function(job, tasks, value, seconds = 0.001) {
    n <- length(tasks)
    job_commit(job, list(task = tasks, status = rep("completed", n),
      result = rep(list(serialize(value, NULL)), n), seconds = rep(seconds, n)))
  }
  other <- store_open_job(job$store, job$id)
  write(job, 1:10, "first")
  write(other, 1:10, "second") # the same set
  write(other, 11:15, "other", 2)
  Sys.sleep(1.1)
  third <- store_open_job(job$store, job$id)
  third$state$held <- list() # knows of nothing, and looks
  write(third, 5:20, "third")
  values <- function(job) {
    vapply(job_results(job, 1, 20)$result, unserialize, "")
  }
  expected <- rep(c("first", "other", "third"), c(10, 5, 5))
  expect_identical(values(job), expected)
  expect_identical(values(store_open_job(job$store, job$id)), expected)

  # Packs that overlap: the older counts; who wrote it without looking is no matter.
  s <- third$state
  blob <- pool:::pack_blob(s, list(task = c(30, 31), status = rep("completed", 2),
    result = list(serialize("a", NULL), serialize("b", NULL)), seconds = c(0, 0)))[[1]]
  pool:::account_put(s, blob$name, list(blob$bytes), list(blob$meta))
  Sys.sleep(1.1)
  blob <- pool:::pack_blob(s, list(task = c(29, 30), status = c("completed", "failed"),
    result = list(serialize("x", NULL), serialize("y", NULL)), seconds = c(0, 0)))[[1]]
  pool:::account_put(s, blob$name, list(blob$bytes), list(blob$meta))
  found <- job_results(store_open_job(job$store, job$id), 29, 3)
  expect_identical(vapply(found$result, unserialize, ""), c("x", "a", "b"))
  expect_identical(found$status, rep("completed", 3))
  expect_identical(counts(job)[["failed"]], 0)
})

test_that("tasks are added, also by two at once", {
  job <- local_account_job(0)
  expect_identical(counts(job)[["tasks"]], 0)
  expect_identical(job_claim(job, 1)$task, numeric())
  expect_identical(job_add(job, some_tasks(3)), c(1, 2, 3))
  other <- store_open_job(job$store, job$id)
  expect_identical(job_add(other, some_tasks(5)[4:5]), c(4, 5))
  expect_identical(job_add(job, some_tasks(6)[6]), 6) # had not heard of them
  expect_identical(job_add(job, list()), numeric())
  expect_setequal(run_all(other), 1:6)
  expect_all_right(job, 6)
  job_add(job, some_tasks(7)[7])
  expect_identical(job_status(job)$state, "active")
  run_all(other)
  expect_all_right(job, 7)
})

test_that("data that are large, or many, go into several blobs", {
  big <- lapply(1:5, function(i) serialize(rep(i, 3e5), NULL, xdr = FALSE))
  store <- account_store()
  id <- unique_name("Big_")
  defer_job(store, id)
  job <- store_create_job(store, id, raw(), big)
  expect_gt(length(blobs_of(job, "data/")), 1)
  job_add(job, big[1])
  got <- job_claim(job, 6)
  while (length(got$task) < 6) {
    more <- job_claim(job, 6)
    got <- Map(c, got, more)
  }
  expect_identical(got$data[order(got$task)], big[c(1:5, 1)])
  result <- serialize(rep(7, 3e6), NULL) # more than a block
  job_commit(job, list(task = 1:6, status = rep("completed", 6), result = rep(list(result), 6),
    seconds = rep(0, 6)))
  expect_identical(job_results(job, 6, 1)$result, list(result))
  many <- local_account_job(12000)
  expect_identical(job_claim(many, 2)$data, some_tasks(2))
  expect_length(blobs_of(many, "data/"), 3)
})

test_that("released tasks are others', at once and free of charge", {
  job <- local_account_job(4)
  got <- job_claim(job, 4)
  while (length(got$task) < 4) got <- Map(c, got, job_claim(job, 4))
  other <- store_open_job(job$store, job$id)
  expect_identical(job_claim(other, 4)$task, numeric())
  job_release(job, c(2, 3))
  again <- Map(c, job_claim(other, 2), job_claim(other, 1))
  expect_setequal(again$task, c(2, 3))
  expect_identical(again$tries, c(0L, 0L))
  job_close(job) # what is left goes back, too
  third <- store_open_job(job$store, job$id)
  expect_setequal(c(job_claim(third, 2)$task, job_claim(third, 2)$task), c(1, 4))
})

test_that("what could not be given back is still claimed, and can be given back again", {
  job <- local_account_job(64)
  got <- job_claim(job, 3)
  local({
    local_binding(account_ok = function(...) stop("no answer"))
    expect_error(job_release(job, got$task), "no answer")
    expect_error(job_charge(job, got$task[1], 3, raw()), "no answer")
  })
  expect_identical(counts(job)[["running"]], 3)
  job_release(job, got$task)
  expect_identical(counts(job)[["running"]], 0)
  expect_length(job$state$held, 0)
  run_all(job, 20)
  expect_all_right(job, 64)
})

test_that("a task is charged with the deaths of its nodes, up to a number", {
  job <- local_account_job(3)
  got <- job_claim(job, 1)
  lost <- serialize("lost", NULL)
  expect_identical(job_charge(job, 1, 3, lost), "again")
  others <- run_all(job)
  expect_setequal(others, 1:3) # it is among them, with a try
  job <- local_account_job(3)
  for (try in 0:2) {
    repeat {
      got <- job_claim(job, 1)
      if (1 %in% got$task) break
      finish(job, got)
    }
    expect_identical(got$tries, try)
    expect_identical(job_charge(job, 1, 3, lost), if (try < 2) "again" else "lost")
  }
  run_all(job)
  expect_identical(counts(job)[c("completed", "lost")], c(completed = 2, lost = 1))
  expect_identical(job_results(job, 1, 1), list(task = 1, status = "lost", result = list(lost),
    seconds = NA_real_))
  expect_identical(job_status(job)$state, "completed")
})

test_that("one of a range is charged, the others stay claimed", {
  withr::local_options(pool.job_lease = 2)
  job <- local_account_job(64)
  got <- job_claim(job, 4)
  expect_identical(got$task, as.double(1:4))
  expect_identical(job_charge(job, 2, 3, raw()), "again")
  expect_identical(counts(job)[["running"]], 3)
  finish(job, lapply(got, `[`, c(1, 3, 4)))
  other <- store_open_job(job$store, job$id)
  done <- run_all(other)
  expect_identical(sort(done), as.double(c(2, 5:64)))
  expect_all_right(job, 64)
})

test_that("a terminated job gives no task, and keeps its results", {
  job <- local_account_job(10)
  other <- store_open_job(job$store, job$id)
  got <- job_claim(other, 2)
  job_terminate(job)
  job_terminate(job)
  expect_identical(job_status(job)$state, "terminated")
  expect_identical(job_claim(job, 1)$task, numeric())
  finish(other, got) # what was claimed may still be committed
  expect_identical(counts(store_open_job(job$store, job$id))[["completed"]],
    as.double(length(got$task)))
  Sys.sleep(2.1) # by then everybody knows
  expect_identical(job_claim(other, 1)$task, numeric())
  expect_silent(job_renew(other))
  expect_identical(job_abandoned(job), numeric())
})

test_that("ids map to names, one to one, and back", {
  name <- pool:::account_name_of
  expect_identical(name("nightly-7"), "nightly-7")
  ids <- c("My_Job", "my_job", "my-job", "MY_JOB", "-", "_", "a", "ab", "a--b", "a-", "-a",
    "pool-x", "pool-my-job", strrep("a", 64), strrep("A", 63), "unique_job_id", "X-y_Z",
    strrep("_", 64), "my_unique_job_id", "0", strrep("ab-", 21))
  names <- vapply(ids, name, "")
  expect_identical(anyDuplicated(names), 0L)
  expect_match(names, "^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$", perl = TRUE)
  expect_identical(name("my-job"), "my-job")
  # As it is documented.
  expect_identical(name("My_Job"), "pool-my-job-a6a4eb0a8f3c0ad5ffff47372726339e")
  for (bad in list("", "a b", "a/b", "\u00e4", strrep("a", 65), NA_character_, 1, NULL, "a.b",
    c("a", "b"), "a\n")) {
    expect_input_error(name(bad), "id")
  }
  store <- account_store()
  for (id in c("_", "X-y_Z", strrep("Q", 64))) {
    job <- local_account_job(1, id = id, store = store)
    expect_true(id %in% store_job_ids(store))
    run_all(job)
    expect_all_right(store_open_job(store, id), 1)
  }
})

test_that("what is no job, or a newer one, is not opened", {
  store <- account_store()
  container <- local_container()
  expect_error(store_open_job(store, container$name), class = "pool_job_absent_error")
  expect_error(store_create_job(store, container$name, raw(), list()),
    class = "pool_job_exists_error")
  expect_false(container$name %in% store_job_ids(store))
  expect_error(store_open_job(store, "never_made"), class = "pool_job_absent_error")
  upload_blob(container, raw(3), paste0(container$name, ".rds"))
  expect_error(store_open_job(store, container$name), class = "pool_job_format_error")

  job <- local_account_job(1)
  s <- job$state
  put <- function(bytes, meta) {
    pool:::account_put(s, pool:::account_manifest_name(s$id), list(bytes), list(meta),
      once = FALSE)
  }
  right <- pool:::md5_text(raw(5))
  put(raw(5), c(uid = s$uid, format = "2", md5 = right))
  expect_error(store_open_job(store, job$id), "newer", class = "pool_job_format_error")
  put(raw(6), c(uid = s$uid, format = "1", md5 = right))
  expect_error(store_open_job(store, job$id), class = "pool_job_corrupt_error")
  put(raw(5), c(uid = "x", format = "1", md5 = right))
  expect_error(store_open_job(store, job$id), class = "pool_job_format_error")
})

test_that("a job is deleted in whatever state it is, and nothing else is", {
  job <- local_account_job(3)
  upload_blob(job$state$container, raw(3), paste0(job$id, ".rds"))
  expect_error(store_open_job(job$store, job$id), class = "pool_job_format_error")
  pool:::store_delete_job(job$store, job$id)
  expect_false(job$state$container$name %in% names(list_storage_containers(job$store$blob)))
  expect_error(pool:::store_delete_job(job$store, job$id), class = "pool_job_absent_error")
  container <- local_container()
  expect_error(pool:::store_delete_job(job$store, container$name),
    class = "pool_job_absent_error")
  expect_true(container$name %in% names(list_storage_containers(job$store$blob)))
})

test_that("an id that is taken, also by a container that is no job", {
  job <- local_account_job(2)
  before <- blobs_of(job)
  e <- tryCatch(store_create_job(job$store, job$id, raw(), some_tasks(9)), error = identity)
  expect_s3_class(e, "pool_job_exists_error")
  expect_identical(e$id, job$id)
  expect_identical(blobs_of(job), before)
  run_all(job)
  expect_all_right(job, 2)
})

test_that("a fork does not use what its parent has opened", {
  skip_on_os("windows")
  job <- local_account_job(1)
  p <- parallel::mcparallel(tryCatch(job_claim(job, 1), error = function(e) class(e)))
  expect_identical(parallel::mccollect(p)[[1]][1], "pool_job_error")
  expect_identical(job_claim(job, 1)$task, 1)
})

test_that("no secret is shown", {
  job <- local_account_job(1)
  secret <- substr(azurite_key, 1, 20)
  shown <- c(utils::capture.output(print(job)), utils::capture.output(print(job$store)),
    format(job), utils::capture.output(str(unclass(job$store))))
  expect_false(any(grepl(secret, shown, fixed = TRUE)))
  for (name in blobs_of(job)) {
    content <- rawToChar(Filter(as.logical, download_blob(job$state$container, name, NULL)))
    expect_false(grepl(secret, content, fixed = TRUE, useBytes = TRUE))
  }
})

test_that("files", {
  job <- local_account_job(1)
  expect_identical(job_files(job), data.frame(name = character(), size = numeric()))
  job_put_file(job, "stdout/1.txt", charToRaw("hello"))
  job_put_file(job, "logs/1.txt", raw())
  path <- withr::local_tempfile(lines = "a line")
  job_put_file(job, "notes", path)
  job_put_file(job, "stdout/1.txt", charToRaw("hello again"))
  job_put_file(job, "a b/#?%41.txt", charToRaw("odd"))
  expect_identical(job_get_file(job, "stdout/1.txt"), charToRaw("hello again"))
  expect_identical(job_get_file(job, "logs/1.txt"), raw())
  expect_identical(job_get_file(job, "a b/#?%41.txt"), charToRaw("odd"))
  run_all(job)
  expect_identical(job_files(job), data.frame(
    name = c("a b/#?%41.txt", "logs/1.txt", "notes", "stdout/1.txt"), size = c(3, 0, 7, 11)
  ))
  expect_identical(job_files(job, "std")$name, "stdout/1.txt")
  expect_identical(job_files(job, "stdout/")$name, "stdout/1.txt")
  expect_identical(job_files(job, "res")$name, character())
  job_put_files(job, lapply(1:40, function(i) {
    list(path = paste0("stderr/", i, ".txt"), data = as.raw(i))
  }))
  expect_length(job_files(job, "stderr/")$name, 40)
  expect_identical(job_get_file(job, "stderr/7.txt"), as.raw(7))
  expect_error(job_get_file(job, "stdout/2.txt"), class = "pool_job_absent_error")
  bad <- c("../x", "/x", "a/../b", "", "a//b", "a/", ".", "a\\b", "a\nb", "results/1-result.rds",
    "tasks/x", "data/y", paste0(job$id, ".rds"), paste0(job$id, "-metadata"))
  for (path in bad) {
    expect_input_error(job_put_file(job, path, raw()), "path")
    expect_input_error(job_get_file(job, path), "path")
  }
  expect_input_error(job_put_file(job, "x", "no such file"), "x")
})
