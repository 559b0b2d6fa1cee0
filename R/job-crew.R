# Who runs the tasks of a job that a process has joined: the pool, or the process itself.
#
# Crews are lists of functions: free(), how many batches could begin at once; put(batch), its id;
# wait(seconds), what has come of batches, as stream_wait() has it; last(), what is there
# already; cut(id), how many tasks of a batch have begun, if it begins no other from now
# on; close(). nodes: how many. waits: wait() is of use only with something away.

crew_pool <- function(run) {
  id <- run$job$id
  s <- stream_open(run_task_batch, list(manifest = run$manifest, id = id),
    timeout = run$manifest$options$timeout
  )
  list(
    nodes = the$size, waits = TRUE,
    free = function() stream_free(s),
    put = function(batch) stream_put(s, batch),
    wait = function(seconds) stream_wait(s, seconds),
    cut = function(id) stream_cut(s, id),
    last = function() stream_wait(s, 0),
    close = function() stream_close(s)
  )
}

# Runs tasks of an open job in this session, as run_job() does. Tasks that run in this very
# process leave nobody to renew its claims: where these are leases, nodes run them, of a
# pool of one for so long where there is none.
run_joined <- function(job, nodes, progress = NULL) {
  if (nodes == "inline" && !is_directory(job$store)) {
    nodes <- "pool"
    if (!pool_exists()) {
      on.exit(delete_quietly())
      create_pool(1L, check_cluster_options(list()))
    }
  }
  run_job(job, nodes, progress = progress)
}

# A batch is run when it is waited for. A time limit is R's own, which not everything
# that takes time looks at.
crew_inline <- function(run) {
  id <- run$job$id
  manifest <- run$manifest
  next_id <- 0
  batch <- NULL
  list(
    nodes = 1, waits = TRUE,
    free = function() if (is.null(batch)) 1 else 0,
    put = function(x) {
      batch <<- x
      next_id <<- next_id + 1
    },
    wait = function(seconds) {
      x <- batch
      batch <<- NULL
      setTimeLimit(elapsed = manifest$options$timeout)
      on.exit(setTimeLimit())
      list(list(id = next_id, value = run_task_batch(x, manifest, id, capture = FALSE)))
    },
    cut = function(id) NULL,
    last = function() list(),
    close = function() NULL
  )
}
