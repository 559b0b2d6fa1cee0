# What can go wrong with a job in a storage account: nothing is lost, nothing wrong is
# taken for right, and errors are classed.

# ---- Damaged blobs ----

overwrite <- function(job, name, bytes, meta = NULL) {
  s <- job$state
  headers <- get_storage_metadata(s$container, name)
  pool:::account_put(s, name, list(bytes), list(unlist(c(meta, headers)[union(names(meta),
    names(headers))])), once = FALSE)
}

content <- function(job, name) download_blob(job$state$container, name, NULL)

flip <- function(bytes, at) {
  bytes[at] <- xor(bytes[at], as.raw(0x10))
  bytes
}

test_that("results that were damaged are errors which name them, and the others are there", {
  job <- local_account_job(20)
  run_all(job)
  name <- "results/7-result.rds"
  good <- content(job, name)
  for (bad in list(flip(good, 9), good[-length(good)], raw(), c(good, raw(1)))) {
    overwrite(job, name, bad)
    e <- tryCatch(job_results(store_open_job(job$store, job$id), 1, 20), error = identity)
    expect_s3_class(e, "pool_job_corrupt_error")
    expect_identical(e$task, 7)
    expect_match(conditionMessage(e), name, fixed = TRUE)
    expect_identical(job_results(job, 8, 20)$task, as.double(8:20))
  }
  # With the digest gone, too.
  upload_blob(job$state$container, good, name)
  expect_identical(job_status(store_open_job(job$store, job$id))$state, "active")
  overwrite(job, name, good, c(uid = job$state$uid, status = "completed", md5 = "x"))
  expect_error(job_results(store_open_job(job$store, job$id), 7, 1),
    class = "pool_job_corrupt_error")
  # Away with it: the task is run again.
  delete_blob(job$state$container, name, confirm = FALSE)
  job_close(job) # its last messages are deleted
  again <- store_open_job(job$store, job$id)
  expect_identical(job_requeue(again), 1L)
  expect_identical(run_all(again), 7)
  expect_all_right(again, 20)
})

test_that("packs that were damaged, or claim what is not theirs, are refused", {
  job <- local_account_job(100)
  run_all(job, 30)
  name <- grep("[.]pack$", blobs_of(job, "results/"), value = TRUE)[1]
  good <- content(job, name)
  first <- as.numeric(sub("results/0*([0-9]+)-.*", "\\1", name))
  withr::local_seed(1)
  bads <- c(
    lapply(sample(length(good), 20), function(at) flip(good, at)),
    list(good[seq_len(length(good) - 1)], good[1:60], raw(), rev(good), c(good, raw(8)))
  )
  for (bad in bads) {
    overwrite(job, name, bad)
    e <- tryCatch(job_results(store_open_job(job$store, job$id), first, 1), error = identity)
    expect_s3_class(e, "pool_job_corrupt_error")
    expect_match(conditionMessage(e), name, fixed = TRUE)
  }
  overwrite(job, name, good)
  expect_all_right(store_open_job(job$store, job$id), 100)

  # One of another job, one of other tasks, one of data.
  other <- local_account_job(100)
  run_all(other, 30)
  there <- grep("[.]pack$", blobs_of(other, "results/"), value = TRUE)
  overwrite(job, name, content(other, there[1]))
  expect_error(job_results(store_open_job(job$store, job$id), first, 1), "another job",
    class = "pool_job_corrupt_error")
  mine <- grep("[.]pack$", blobs_of(job, "results/"), value = TRUE)
  overwrite(job, name, content(job, mine[2]))
  expect_error(job_results(store_open_job(job$store, job$id), first, 1), "claims",
    class = "pool_job_corrupt_error")
  overwrite(job, name, content(job, "tasks/0000000001"))
  expect_error(job_results(store_open_job(job$store, job$id), first, 1), "kind",
    class = "pool_job_corrupt_error")
  overwrite(job, name, good)

  # Metadata that claim tasks which the job has not, or are none.
  claims <- c("1-1000", "0-3", "5-2", "x", "1,1", "1-2-3", "", "1,", "99999999999999999")
  for (i in seq_along(claims)) {
    pool:::account_put(job$state, sprintf("results/1-9-%08x.pack", i), list(raw(3)),
      list(c(uid = job$state$uid, completed = if (nzchar(claims[[i]])) claims[[i]])))
  }
  expect_all_right(store_open_job(job$store, job$id), 100)
})

test_that("data of tasks that were damaged are an error, and other tasks go on", {
  job <- local_account_job(6000)
  name <- pool:::account_locate(job$state, 5200)
  bytes <- content(job, name)
  overwrite(job, name, flip(bytes, 500))
  clear_queue_messages(queue_of(job))
  pool:::account_put_tasks(job$state, as.double(5100:5105), 1)
  fresh <- store_open_job(job$store, job$id)
  e <- tryCatch(job_claim(fresh, 3), error = identity)
  expect_s3_class(e, "pool_job_corrupt_error")
  expect_match(conditionMessage(e), name, fixed = TRUE)
  clear_queue_messages(queue_of(job))
  pool:::account_put_tasks(job$state, as.double(1:5), 1)
  expect_identical(job_claim(store_open_job(job$store, job$id), 5)$task, as.double(1:5))
  delete_blob(job$state$container, name, confirm = FALSE)
  expect_error(pool:::account_task_data(fresh$state, 5100), "not there",
    class = "pool_job_corrupt_error")
})

test_that("the reader of packs believes nothing", {
  uid <- pool:::new_guid()
  pack <- function(...) pool:::pack_records(uid, "result", ...)
  read <- function(bytes) pool:::unpack_records(bytes, uid, "result")
  unknown <- pack(c(3, 7), list(raw(), raw(1)), c(1, 2), c(0.5, NA))
  expect_identical(read(unknown)$seconds, c(0.5, NA))
  good <- pack(c(3, 7), list(raw(), charToRaw("ab")), c(1, 2), c(0.5, 0))
  expect_identical(read(good), list(task = c(3, 7), status = c(1, 2), seconds = c(0.5, 0),
    data = list(raw(), charToRaw("ab"))))
  signed <- function(bytes) {
    body <- bytes[seq_len(length(bytes) - 16L)]
    c(body, pool:::base64_decode(pool:::md5_text(body)))
  }
  changed <- function(at, value) {
    bytes <- good
    bytes[at] <- value
    signed(bytes)
  }
  number <- pool:::pack_numbers
  bad <- list(
    changed(46:53, number(1e15)), changed(46:53, number(-1)), changed(46:53, number(1.5)),
    changed(46:53, number(NaN)), changed(46:53, number(3)), changed(54:61, number(7)),
    changed(70:77, number(9)), changed(102:109, number(1e300)), changed(102:109, number(-1)),
    changed(54:61, number(NaN)), signed(good[1:40]), pack(1, list(raw()))[-1]
  )
  for (bytes in bad) expect_type(read(bytes), "character")
})

# ---- Messages of others ----

test_that("garbage in the queue is dropped, and nothing in it is believed", {
  job <- local_account_job(6)
  queue <- queue_of(job)
  clear_queue_messages(queue)
  uid <- job$state$uid
  text <- function(...) paste(c("pool tasks 1", uid, ...), collapse = "\n")
  garbage <- c("", "hello", "{\"tasks\":\"1-6\"}", text("1-7"), text("0"), text("1-1000000"),
    text("-1"), text("2-1"), text("1,1"), text("1e1"), text("1", "1:1", "1:1"), text("1", "2:1"),
    text("1", "1:-1"), text("1", "1:9999999"), text("1", "x"), text(" 1"), text("1 "),
    text("99999999999999999999"), sub(uid, pool:::new_guid(), text("1-6")),
    rawToChar(serialize(quote(stop("run!")), NULL, ascii = TRUE)), "http://127.0.0.1:1/x",
    "/etc/passwd", strrep("(", 40000), text(paste(rep("1", 20000), collapse = ",")))
  for (x in garbage) put_queue_message(queue, x, ttl = -1)
  put_queue_message(queue, "%%% no base64", base64 = FALSE)
  expect_identical(job_abandoned(job), numeric())
  # None of it is a message, but they are there: nothing is known to be lost.
  got <- job_claim(job, 3)
  expect_true(all(got$task %in% 1:6))
  run <- c(got$task, {
    got <- finish(job, got, 3)
    got$task
  })
  while (length(got$task)) {
    got <- finish(job, got, 3)
    run <- c(run, got$task)
  }
  if (!identical(job_status(job)$state, "completed")) {
    Sys.sleep(1.1)
    run <- c(run, run_all(job))
  }
  expect_setequal(run, 1:6)
  expect_all_right(job, 6)
  expect_identical(pool:::account_queue_count(job$state), 0)
})

test_that("tasks that a foreign message doubles are run once, or count once", {
  job <- local_account_job(10)
  pool:::account_put_tasks(job$state, as.double(1:10), 3)
  run_all(job, 3)
  expect_all_right(job, 10)
})

# ---- A queue that is lost ----

test_that("a queue that was emptied, or deleted, loses nothing", {
  job <- local_account_job(30)
  got <- job_claim(job, 2)
  clear_queue_messages(queue_of(job))
  expect_identical(counts(job)[["running"]], 0)
  other <- store_open_job(job$store, job$id)
  expect_identical(sort(job_abandoned(other)), as.double(1:30))
  done <- run_all(other) # finds out by itself
  expect_true(all(3:30 %in% done))
  finish(job, got)
  expect_all_right(job, 30)

  job <- local_account_job(30)
  delete_storage_queue(queue_of(job), confirm = FALSE)
  expect_identical(job_status(job)$state, "active")
  expect_silent(job_renew(job))
  expect_identical(job_requeue(job), 30L)
  expect_setequal(run_all(job), 1:30)
  expect_all_right(job, 30)
})

test_that("who had a claim when the queue was lost keeps it", {
  withr::local_options(pool.job_lease = 2)
  job <- local_account_job(6)
  got <- job_claim(job, 1)
  clear_queue_messages(queue_of(job))
  job_renew(job)
  run <- list()
  repeat {
    more <- job_claim(job, 1)
    if (!length(more$task)) break
    expect_false(more$task == got$task)
    finish(job, more)
    run <- c(run, more$task)
  }
  expect_setequal(unlist(run), setdiff(1:6, got$task))
  other <- store_open_job(job$store, job$id)
  expect_identical(job_claim(other, 1)$task, numeric()) # it has a message again, which is ours
  finish(job, got)
  expect_all_right(job, 6)
  expect_identical(pool:::account_queue_count(job$state), 0)
})

test_that("many who find an empty queue put the tasks back once", {
  job <- local_account_job(200)
  clear_queue_messages(queue_of(job))
  log <- withr::local_tempfile()
  join_all(lapply(1:3, function(i) claimant(job$store, job$id, log, 30, n = 10)))
  expect_all_right(job, 200)
  expect_identical(anyDuplicated(begun(log)), 0L)
})

# ---- A job that is gone, and another of its name ----

test_that("what a claimant of a deleted job does is none of the new one's", {
  store <- account_store()
  job <- local_account_job(40, id = "again-and-again", store = store)
  got <- job_claim(job, 2)
  old <- store_open_job(store, job$id)
  old_got <- job_claim(old, 3)
  job_delete(job)
  expect_error(finish(old, old_got), class = "pool_job_absent_error")
  expect_error(job_status(old), class = "pool_job_absent_error")

  fresh <- store_create_job(store, job$id, raw(), some_tasks(40))
  # It goes on with what it knows: results, messages.
  wrong <- rep(list(serialize("wrong", NULL)), 3)
  try(job_commit(old, list(task = old_got$task, status = rep("completed", 3), result = wrong,
    seconds = rep(2, 3))), silent = TRUE)
  s <- old$state
  pool:::account_put(s, "results/5-result.rds", wrong[1], list(c(uid = s$uid,
    status = "completed", md5 = pool:::md5_text(wrong[[1]]))))
  pool:::account_put_tasks(s, as.double(1:40))
  expect_identical(counts(fresh)[["completed"]], 0)
  expect_error(job_claim(old, 1), class = "pool_job_absent_error")
  run_all(fresh, seconds = 2)
  expect_all_right(fresh, 40)
  expect_all_right(store_open_job(store, job$id), 40)
})

# ---- Creation that ends half-way ----

# As if it were killed at its wave of requests number `at`, of which some were `sent`:
# nothing cleans up. TRUE where it had no more so many.
half_job <- function(store, id, n, at, sent) {
  local_binding(account_undo = function(s) NULL)
  asked <- new.env()
  asked$count <- 0
  dies_at <- function(name, ask) {
    real <- get(name, asNamespace("pool"))
    function(...) {
      asked$count <- asked$count + 1
      if (asked$count == at) {
        ask(real, ...)
        stop("killed")
      }
      real(...)
    }
  }
  local_binding(
    http_requests = dies_at("http_requests", function(real, accounts, requests, ...) {
      some <- requests[seq_along(requests) %% 2 %in% sent]
      if (length(some)) real(accounts, some, ...)
    }),
    run_transfers = dies_at("run_transfers", function(real, ...) if (1 %in% sent) real(...))
  )
  tryCatch({
    store_create_job(store, id, charToRaw("half"), some_tasks(n))
    TRUE
  }, error = function(e) FALSE)
}

test_that("a job whose creation was cut short is none, and can be made again or deleted", {
  store <- account_store()
  # none, the first and every other one, the second, all
  for (case in list(list(40, NULL), list(40, 1), list(40, 0), list(40, 0:1), list(5100, 1),
    list(5100, 0:1))) {
    n <- case[[1]]
    at <- 0
    repeat {
      at <- at + 1
      id <- unique_name("half-")
      defer_job(store, id)
      whole <- half_job(store, id, n, at, case[[2]])
      if (whole || id %in% store_job_ids(store)) break
      expect_error(store_open_job(store, id), class = "pool_job_absent_error")
      there <- id %in% names(list_storage_containers(store$blob))
      container <- storage_container(store$blob, id)
      leased <- there && get_storage_properties(container)[["x-ms-lease-state"]] == "leased"
      if (leased) {
        # Somebody may be at it: their lease is not over.
        expect_error(store_create_job(store, id, raw(), list()), class = "pool_job_exists_error")
        expect_false(id %in% store_job_ids(store))
        break_lease(container, "", 0)
      }
      if (there && at %% 2 == 0) {
        pool:::account_delete(pool:::account_state(store, id))
        expect_false(id %in% names(list_storage_containers(store$blob)))
      }
      job <- store_create_job(store, id, charToRaw("whole"), some_tasks(5))
      expect_identical(job_manifest(store_open_job(store, id)), charToRaw("whole"))
      expect_identical(counts(job)[["tasks"]], 5)
      expect_setequal(run_all(job), 1:5)
      expect_all_right(job, 5)
    }
    expect_gt(at, 2)
    expect_identical(job_manifest(store_open_job(store, id)), charToRaw("half"))
    expect_identical(counts(store_open_job(store, id))[["tasks"]], n)
  }
})

# One step of a creation fails, before it or behind it.
expect_creation_fails <- function(store, id, step, behind) {
  real <- get(step, asNamespace("pool"))
  fails <- function(...) {
    if (behind) real(...)
    stop("no")
  }
  do.call(local_binding, c(stats::setNames(list(fails), step), env = environment()))
  expect_error(store_create_job(store, id, raw(), some_tasks(3)), "no")
}

test_that("an error while a job is made leaves nothing behind", {
  store <- account_store()
  for (step in c("account_begin", "account_fill", "account_put_manifest")) {
    for (behind in c(FALSE, TRUE)) {
      id <- unique_name("Fails_")
      expect_creation_fails(store, id, step, behind)
      name <- pool:::account_name_of(id)
      expect_false(name %in% names(list_storage_containers(store$blob)))
      expect_false(name %in% names(list_storage_queues(store$queue)))
    }
  }
})

test_that("a job is not made where container or queue are somebody's, who keeps all", {
  store <- account_store()
  id <- unique_name("users-")
  refused <- function() {
    e <- expect_error(store_create_job(store, id, raw(), some_tasks(3)), "it is no job",
      class = "pool_job_exists_error")
    expect_identical(e$id, id)
  }
  container <- create_storage_container(store$blob, id)
  upload_blob(container, charToRaw("mine"), "precious")
  refused()
  expect_identical(download_blob(container, "precious", NULL), charToRaw("mine"))
  expect_false(id %in% names(list_storage_queues(store$queue)))
  delete_storage_container(container, confirm = FALSE)

  queue <- create_storage_queue(store$queue, id)
  withr::defer(delete_storage_queue(queue, confirm = FALSE))
  put_queue_message(queue, "mine")
  refused()
  expect_identical(peek_queue_messages(queue)$text, "mine")
  expect_false(id %in% names(list_storage_containers(store$blob)))
})

# `between` happens while a job is made, behind one step of it.
create_with <- function(store, id, step, between, tasks = some_tasks(3)) {
  real <- get(step, asNamespace("pool"))
  once <- function(...) {
    value <- real(...)
    do.call(local_binding, c(stats::setNames(list(real), step), env = environment()))
    between()
    value
  }
  do.call(local_binding, c(stats::setNames(list(once), step), env = environment()))
  store_create_job(store, id, charToRaw("late"), tasks)
}

test_that("who comes too late with a job leaves that of the other as it is", {
  store <- account_store()
  for (step in c("account_take_container", "account_begin", "account_fill")) {
    for (tasks in list(some_tasks(3), list())) {
      for (there in c(FALSE, TRUE)) {
        id <- unique_name("late-")
        defer_job(store, id)
        if (there) {
          expect_false(half_job(store, id, 40, 2, 0:1)) # leased by nobody who lives
          break_lease(storage_container(store$blob, id), "", 0)
        }
        expect_error(create_with(store, id, step, function() {
          # As if it had been stopped for more than a minute.
          try(break_lease(storage_container(store$blob, id), "", 0), silent = TRUE)
          job_close(store_create_job(store, id, charToRaw("first"), some_tasks(20)))
        }, tasks), class = "pool_job_exists_error")
        job <- store_open_job(store, id)
        expect_identical(job_manifest(job), charToRaw("first"))
        state <- get_storage_properties(job$state$container)[["x-ms-lease-state"]]
        expect_identical(state, "available")
        expect_setequal(run_all(job), 1:20)
        expect_all_right(job, 20)
      }
    }
  }
})

test_that("a manifest that comes when the lease is somebody else's is withdrawn", {
  store <- account_store()
  id <- unique_name("slow-")
  defer_job(store, id)
  container <- storage_container(store$blob, id)
  lost <- TRUE
  real <- pool:::account_put_all
  local_binding(account_put_all = function(s, blobs, ...) {
    value <- real(s, blobs, ...)
    if (identical(blobs[[1L]]$name, pool:::account_manifest_name(id))) {
      s$creation$at <- -Inf # as if it had taken an hour
      if (lost) {
        break_lease(container, "", 0)
        acquire_lease(container)
      }
    }
    value
  })
  expect_error(store_create_job(store, id, raw(), some_tasks(3)), class = "pool_job_exists_error")
  expect_error(store_open_job(store, id), class = "pool_job_absent_error")
  # The other's.
  expect_identical(get_storage_properties(container)[["x-ms-lease-state"]], "leased")
  break_lease(container, "", 0)
  lost <- FALSE # only slow
  expect_setequal(run_all(store_create_job(store, id, raw(), some_tasks(3))), 1:3)
})

test_that("a manifest that comes while an unfinished job is emptied stays", {
  store <- account_store()
  id <- unique_name("finished-")
  defer_job(store, id)
  expect_false(half_job(store, id, 40, 2, 0:1))
  container <- storage_container(store$blob, id)
  break_lease(container, "", 0)
  real <- pool:::account_empty
  local_binding(account_empty = function(s) {
    upload_blob(container, charToRaw("finished"), pool:::account_manifest_name(id))
    real(s)
  })
  expect_error(store_create_job(store, id, raw(), some_tasks(3)), class = "pool_job_exists_error")
  expect_identical(download_blob(container, pool:::account_manifest_name(id), NULL),
    charToRaw("finished"))
})

test_that("a container that became somebody's while a job is made stays as it is", {
  store <- account_store()
  id <- unique_name("replaced-")
  container <- storage_container(store$blob, id)
  withr::defer(delete_storage_container(container, confirm = FALSE))
  local_binding(account_begin = function(s, there) {
    delete_storage_container(container, confirm = FALSE)
    create_storage_container(store$blob, id)
    upload_blob(container, charToRaw("mine"), "precious")
    stop("no")
  })
  expect_error(store_create_job(store, id, raw(), some_tasks(3)), "no")
  expect_identical(download_blob(container, "precious", NULL), charToRaw("mine"))
  expect_identical(get_storage_properties(container)[["x-ms-lease-state"]], "available")
})

test_that("a large blob of somebody else's is not taken for one's own, whatever is lost", {
  job <- local_account_job(1)
  local_binding(large_bytes = 1000)
  bytes <- as.raw(rep(1:250, 8))
  put <- function(job, name, by) {
    pool:::account_put_all(job$state, list(list(name = name, bytes = bytes,
      meta = c(uid = job$state$uid, by = by))))$there
  }
  expect_false(put(job, "data/8", "a"))
  expect_true(put(job, "data/8", "b"))
  for (name in c("data/8", "data/9")) {
    url <- through(azurite_url(), "PUT|data/|1|lost")
    lossy <- store_open_job(account_store(blob = blob_endpoint(url, key = azurite_key)), job$id)
    expect_identical(put(lossy, name, "b"), name == "data/8")
  }
})

test_that("a job that is deleted leaves a user's queue of its name", {
  store <- account_store()
  job <- local_account_job(3, store = store)
  queue <- queue_of(job)
  delete_storage_queue(queue, confirm = FALSE)
  create_storage_queue(store$queue, queue$name)
  withr::defer(delete_storage_queue(queue, confirm = FALSE))
  put_queue_message(queue, "mine")
  job_delete(job)
  expect_false(queue$name %in% names(list_storage_containers(store$blob)))
  expect_identical(peek_queue_messages(queue)$text, "mine")
})

test_that("answers that are lost while a job is made, or tasks are added, change nothing", {
  for (fault in c("PUT|restype=container|1|lost", "PUT|comp=lease|1|lost", "PUT|tasks/|1|lost",
    "PUT|.rds|1|lost", "PUT|-metadata|1|lost")) {
    url <- through(azurite_url(), fault)
    store <- account_store(blob = blob_endpoint(url, key = azurite_key))
    job <- local_account_job(3, store = store)
    if (!grepl("tasks/", fault, fixed = TRUE)) {
      expect_identical(job_add(job, some_tasks(2)), c(4, 5))
    } else {
      url <- through(azurite_url(), fault)
      other <- store_open_job(account_store(blob = blob_endpoint(url, key = azurite_key)), job$id)
      expect_identical(job_add(other, some_tasks(2)), c(4, 5))
    }
    job <- store_open_job(account_store(), job$id)
    expect_identical(counts(job)[["tasks"]], 5)
    expect_setequal(run_all(job), 1:5)
  }
  port <- engine_proxy("PUT|/|1|lost", Sys.getenv("AZURITE_QUEUE_PORT"))
  url <- sub(":[0-9]+/", paste0(":", port, "/"), azurite_url(service = "queue"))
  job <- local_account_job(3, store = account_store(queue = queue_endpoint(url, key = azurite_key)))
  expect_setequal(run_all(job), 1:3)
})

test_that("the lease of a creation ends with whatever is asked for next", {
  job <- local_account_job(3)
  state <- function() get_storage_properties(job$state$container)[["x-ms-lease-state"]]
  expect_identical(state(), "leased")
  job_claim(job, 1)
  expect_identical(state(), "available")
  # Or at the end; until then it hinders nobody who deletes the job.
  job <- local_account_job(3)
  job_close(job)
  expect_identical(state(), "available")
  job <- local_account_job(3)
  store_delete_job(job$store, job$id)
  expect_false(job$id %in% store_job_ids(job$store))
})

test_that("of two who make one job, one does", {
  skip_if_not_installed("callr")
  store <- account_store()
  id <- unique_name("two-")
  defer_job(store, id)
  makers <- lapply(1:3, function(i) {
    callr::r_bg(function(store, id, i, tasks) {
      tryCatch({
        pool:::store_create_job(store, id, as.raw(i), tasks)
        "made"
      }, error = function(e) class(e)[1])
    }, list(store, id, i, some_tasks(1500)), package = TRUE)
  })
  for (p in makers) p$wait(60000)
  got <- vapply(makers, function(p) p$get_result(), "")
  expect_identical(sort(got), c("made", rep("pool_job_exists_error", 2)))
  job <- store_open_job(store, id)
  expect_identical(job_manifest(job), as.raw(which(got == "made")))
  expect_length(unique(run_all(job, 500)), 1500)
  expect_all_right(job, 1500)
})

# ---- Credentials ----

test_that("credentials that are wrong are a classed error that shows none of them", {
  job <- local_account_job(3)
  key <- paste0("d3Jvbmcg", substr(azurite_key, 9, 88))
  bad <- account_store(
    blob = blob_endpoint(azurite_url(), key = key),
    queue = queue_endpoint(azurite_url(service = "queue"), key = key)
  )
  for (code in expression(store_open_job(bad, job$id), store_create_job(bad, "new-one", raw(),
    list()), store_job_ids(bad))) {
    e <- tryCatch(eval(code), error = identity)
    expect_s3_class(e, "pool_http_error")
    expect_identical(e$status, 403L)
    expect_false(grepl(substr(key, 1, 20), conditionMessage(e), fixed = TRUE))
    expect_false(any(grepl(substr(key, 1, 20), utils::capture.output(print(e$call)),
      fixed = TRUE)))
  }
})

sas_store <- function(seconds) {
  sas <- get_account_sas(azurite_account, key = azurite_key, services = "bq",
    permissions = "rwdlacup", resource_types = "sco",
    expiry = Sys.time() + seconds)
  account_store(
    blob = blob_endpoint(azurite_url(), sas = sas),
    queue = queue_endpoint(azurite_url(service = "queue"), sas = sas)
  )
}

test_that("a job by a shared access signature", {
  store <- sas_store(600)
  job <- local_account_job(80, store = store)
  expect_true(job$id %in% store_job_ids(store))
  run_all(job, 7)
  expect_all_right(job, 80)
  job_put_file(job, "stdout/1.txt", raw(3))
  expect_identical(job_files(job)$name, "stdout/1.txt")
  job_delete(job)
})

test_that("credentials that are gone in mid-job: a classed error, and others go on", {
  withr::local_options(pool.job_lease = 2)
  job <- local_account_job(40)
  brief <- store_open_job(sas_store(3), job$id)
  got <- job_claim(brief, 2)
  Sys.sleep(4)
  for (code in expression(finish(brief, got), job_claim(brief, 1), job_renew(brief),
    job_status(brief), job_results(brief, 1, 2), job_release(brief, got$task),
    job_charge(brief, got$task[1], 3, raw()), job_files(brief))) {
    e <- tryCatch(eval(code), error = identity)
    expect_s3_class(e, "pool_http_error")
    expect_identical(e$status, 403L)
    expect_false(grepl("sig=", conditionMessage(e), fixed = TRUE))
  }
  expect_silent(job_close(brief))
  Sys.sleep(2)
  expect_setequal(run_all(job), 1:40)
  expect_all_right(job, 40)
})

# ---- A service that goes away ----

test_that("Azurite stops and starts in the middle of a job", {
  skip_on_cran()
  azurite <- local_azurite()
  job <- store_create_job(azurite$store, "Through_it_all", raw(), some_tasks(120))
  log <- withr::local_tempfile()
  others <- lapply(1:2, function(i) {
    claimant(azurite$store, job$id, log, 5, n = 3, each = 0.03)
  })
  expect_true(wait_until(function() length(begun(log)) >= 10))
  azurite$stop()
  azurite$start()
  join_all(others)
  expect_all_right(job, 120)
  expect_setequal(begun(log), 1:120)
})
