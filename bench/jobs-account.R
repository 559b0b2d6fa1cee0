# Jobs in a storage account: 2,000 tasks through Azurite, made, run and read; beside
# curl, which makes the same requests, all at once and ready-made, and waits for none of
# their answers to make the next.
#
#   Rscript bench/jobs-account.R [rounds]     (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))

rounds <- rounds_asked(9L)
describe_machine()

# ---- The service -------------------------------------------------------------

programs <- Sys.getenv("AZURITE_PROGRAMS", beside("../build/azurite/node_modules/.bin"))
if (!file.exists(file.path(programs, "azurite-blob"))) {
  stop("there is no Azurite in ", programs)
}
account <- "devstoreaccount1"
key <- paste0(
  "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/",
  "K1SZFPTOtr/KBHBeksoGMGw=="
)
directory <- tempfile("jobs")
dir.create(directory)

start <- function(service) {
  log <- tempfile()
  pid <- tempfile()
  file.create(log)
  system(sprintf("cd %s; %s --%sPort 0 %s >%s 2>&1 & echo $! >%s", shQuote(directory),
    shQuote(file.path(programs, paste0("azurite-", service))), service,
    "--inMemoryPersistence --skipApiVersionCheck --disableTelemetry --silent",
    shQuote(log), shQuote(pid)
  ))
  for (i in 1:300) {
    port <- sub(".*:", "", grep("successfully listens", readLines(log), value = TRUE))
    if (length(port) > 0L) break
    Sys.sleep(0.1)
  }
  list(pid = as.integer(readLines(pid)), url = sprintf("http://127.0.0.1:%s/%s", port, account))
}

services <- lapply(c(blob = "blob", queue = "queue"), start)
# Also after an error.
running <- new.env()
running$services <- services
invisible(reg.finalizer(running, function(e) {
  for (service in e$services) tools::pskill(service$pid)
}, onexit = TRUE))
store <- pool:::store_account(
  blob_endpoint(services$blob$url, key = key), queue_endpoint(services$queue$url, key = key)
)

# ---- What is asked -----------------------------------------------------------

# Every request on its way to the engine, as long as `asked$on`.
asked <- new.env()
asked$on <- FALSE
asked$all <- list()

note_request <- function(verb, url, body = raw(), headers = character()) {
  asked$all[[length(asked$all) + 1L]] <- list(verb = verb, url = url, body = body,
    headers = headers)
}

watch <- function(name, look) {
  namespace <- asNamespace("pool")
  real <- get(name, namespace)
  get("unlockBinding", baseenv())(name, namespace)
  assign(name, function(...) {
    if (asked$on) look(...)
    real(...)
  }, envir = namespace)
}
watch("http_requests", function(accounts, requests, ...) {
  for (x in requests) note_request(x[[1L]], x[[2L]], x[[4L]], x[[3L]])
})
watch("run_transfers", function(endpoint, transfers, ...) {
  for (i in seq_along(transfers$url)) {
    if (transfers$verb[[i]] == "upload") {
      note_request("PUT", transfers$url[[i]], transfers$local[[i]],
        c(transfers$headers[[i]], `x-ms-blob-type` = "BlockBlob"))
    } else {
      note_request("GET", transfers$url[[i]])
    }
  }
})

# The same requests of another container and queue, as a file of curl's options: a
# signature is no argument of a process. What depends on an answer (a receipt, a
# lease) is asked for all the same, and refused. Nothing is left out.
curl_config <- function(requests, from, to, most) {
  sas <- get_account_sas(account, key = key, services = "bq", permissions = "rwdlacup",
    resource_types = "sco")
  config <- file.path(directory, "config")
  lines <- lapply(seq_along(requests), function(i) {
    x <- requests[[i]]
    url <- gsub(from, to, x$url, fixed = TRUE)
    headers <- sprintf("header = \"%s: %s\"", names(x$headers), x$headers)
    body <- if (length(x$body)) {
      path <- file.path(directory, paste0("body", i))
      writeBin(x$body, path)
      sprintf("data-binary = \"@%s\"", path)
    } else if (x$verb %in% c("PUT", "POST")) {
      "data-binary = \"\""
    }
    c(sprintf("url = \"%s%s%s\"", url, if (grepl("?", url, fixed = TRUE)) "&" else "?", sas),
      if (x$verb == "HEAD") "head" else sprintf("request = \"%s\"", x$verb), headers, body,
      "output = \"/dev/null\"", "silent", "no-progress-meter",
      "header = \"x-ms-version: 2021-08-06\"", "header = \"Expect:\"",
      if (i < length(requests)) "next")
  })
  writeLines(c("parallel", sprintf("parallel-max = %d", most), unlist(lines)), config)
  config
}

# ---- A job -------------------------------------------------------------------

n <- 2000L
tasks <- lapply(seq_len(n), function(i) serialize(i, NULL, xdr = FALSE))
answers <- lapply(seq_len(n), function(i) serialize(i^2, NULL, xdr = FALSE))
expected <- lapply(seq_len(n), function(i) i^2)
ids <- new.env()
ids$count <- 0L
new_id <- function(prefix) {
  ids$count <- ids$count + 1L
  sprintf("%s-%04d", prefix, ids$count)
}

# The claims that the run loop makes for two nodes, but that tasks take no time. seconds:
# what they say to have taken, which decides where results go.
claims <- c(2, 40, 320, 2560)
run_one <- function(id, seconds) {
  job <- pool:::store_create_job(store, id, raw(1000), tasks)
  got <- pool:::job_claim(job, claims[1])
  k <- 1
  while (length(got$task) > 0L) {
    k <- min(k + 1, length(claims))
    got_n <- length(got$task)
    got <- pool:::job_commit(job, list(task = got$task, status = rep("completed", got_n),
      result = answers[got$task], seconds = rep(seconds, got_n)), claims[k])
  }
  check(identical(pool:::job_status(job)$state, "completed"), "the job is not complete")
  found <- pool:::job_results(job, 1, n)
  check(identical(lapply(found$result, unserialize), expected), "a result is wrong")
  job
}

# All of it, by two nodes.
by_nodes <- function() {
  id <- new_id("nodes")
  begin <- now()
  job <- pool:::job_new(store, id, "lapply", square, tasks = as.list(seq_len(n)))
  pool:::run_job(job, "pool")
  found <- pool:::job_result_list(job)
  taken <- now() - begin
  check(identical(found$values, expected), "a result is wrong")
  away(id)
  taken
}
square <- function(x) x^2
suppressMessages(init_pool(2))

away <- function(name) {
  try(delete_storage_container(store$blob, name, confirm = FALSE), silent = TRUE)
  try(delete_storage_queue(store$queue, name, confirm = FALSE), silent = TRUE)
  Sys.sleep(3) # the emulator clears away what was deleted, at the cost of who comes next
}

compare <- function(title, seconds, others = list()) {
  ours <- function() {
    id <- new_id("job")
    taken <- seconds_of(run_one(id, seconds))
    away(id)
    taken
  }
  curl <- function(most) {
    function() {
      asked$all <- list()
      asked$on <- TRUE
      id <- new_id("seen")
      run_one(id, seconds)
      asked$on <- FALSE
      away(id)
      again <- new_id("curl")
      create_storage_container(store$blob, again)
      create_storage_queue(store$queue, again)
      config <- curl_config(asked$all, id, again, most)
      begin <- now()
      system2("curl", c("--config", config), stdout = FALSE, stderr = FALSE)
      taken <- now() - begin
      away(again)
      taken
    }
  }
  # What a turn takes is waiting for the emulator, not curl's time.
  times <- measure(title,
    c(list(pool = ours, "curl -Z --parallel-max 32" = curl(32L)), others), rounds,
    patience = Inf)
  note(length(asked$all), " requests, of them ",
    sum(vapply(asked$all, function(x) grepl("/results/", x$url, fixed = TRUE), NA)),
    " for results.")
  goal_time(times, "curl -Z --parallel-max 32", 1.5)
  cat("\n")
}
seconds_of <- function(code) {
  begin <- now()
  force(code)
  now() - begin
}

compare("a job of 2,000 tasks of over a second: a blob for each result", 1.5)
compare("a job of 2,000 tasks of a millisecond: results in packs", 0.001,
  list("pool, tasks run by 2 nodes" = by_nodes))

suppressMessages(delete_pool())
unlink(directory, recursive = TRUE)
save_results()
