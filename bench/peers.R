# The pool and its peers, each behind the same few functions, so that a
# benchmark is written once.
#
# A starter takes the number of nodes and returns a list of functions; what a
# peer cannot do is not in it.
#
#   one       a function and its argument: a list of its value, made by one node
#   each      as lapply(), in the way that is the peer's default or quickest
#   single    the same, each element sent when a node is free
#   map       a function and two vectors: as mapply() without SIMPLIFY
#   give      a value: `large` in the global environment of every node
#   all       a function: a list of its values, one of each node
#   end       nothing

needs <- list(
  mirai = "mirai", callr = "callr", future = c("future", "future.apply"),
  clustermq = "clustermq", shard = "shard"
)

# Objects reach nodes by name from here.
give_from <- function(value) list2env(list(large = value), parent = emptyenv())

start_cluster <- function(type) {
  function(n) {
    cl <- makeCluster(n, type = type)
    list(
      one = function(f, x) clusterCall(cl[1L], f, x),
      each = function(x, f) parLapply(cl, x, f),
      single = function(x, f) clusterApplyLB(cl, x, f),
      map = function(f, a, b) clusterMap(cl, f, a, b),
      give = function(value) clusterExport(cl, "large", give_from(value)),
      all = function(f) clusterCall(cl, f),
      end = function() stopCluster(cl)
    )
  }
}

starters <- list(
  pool = function(n) {
    suppressMessages(init_pool(n, restart = TRUE))
    list(
      one = function(f, x) pool_lapply(list(x), f),
      each = function(x, f) pool_lapply(x, f),
      single = function(x, f) pool_lapply(x, f),
      map = function(f, a, b) pool_map(f, a, b),
      give = function(value) pool_export("large", give_from(value)),
      all = function(f) pool_call(f),
      end = function() suppressMessages(delete_pool())
    )
  },
  # These two take over the signal that tells of a child's end, and parallel takes
  # it over from them: the other way round it misses the end of its forks.
  callr = function(n) {
    sessions <- lapply(seq_len(n), function(i) callr::r_session$new())
    on_each <- function(f, ...) lapply(sessions, function(s) s$run(f, list(...)))
    list(
      one = function(f, x) list(sessions[[1L]]$run(f, list(x))),
      give = function(value) {
        on_each(function(value) {
          assign("large", value, envir = globalenv())
          NULL
        }, value)
      },
      all = function(f) on_each(f),
      end = function() for (s in sessions) s$close()
    )
  },
  clustermq = function(n) {
    options(clustermq.scheduler = "multiprocess")
    workers <- suppressMessages(clustermq::workers(n, reuse = TRUE, verbose = FALSE))
    map <- function(...) clustermq::Q(..., workers = workers, verbose = FALSE)
    list(
      one = function(f, x) map(function(i, f, x) f(x), i = 1, const = list(f = f, x = x)),
      each = function(x, f) map(function(x, f) f(x), x = x, const = list(f = f)),
      single = function(x, f) {
        map(function(x, f) f(x), x = x, const = list(f = f), chunk_size = 1)
      },
      map = function(f, a, b) {
        setNames(map(function(a, b, f) f(a, b), a = a, b = b, const = list(f = f)), a)
      },
      end = function() {
        suppressMessages(workers$cleanup())
        Sys.sleep(2) # it complains at R's end of workers that are still leaving
      }
    )
  },
  "parallel FORK" = start_cluster("FORK"),
  "parallel PSOCK" = start_cluster("PSOCK"),
  # A fork of the session for every call: what goes there is there already.
  mclapply = function(n) {
    list(
      one = function(f, x) unname(mccollect(mcparallel(f(x)))),
      each = function(x, f) mclapply(x, f, mc.cores = n),
      single = function(x, f) mclapply(x, f, mc.cores = n, mc.preschedule = FALSE),
      map = function(f, a, b) mcmapply(f, a, b, SIMPLIFY = FALSE, mc.cores = n),
      end = function() NULL
    )
  },
  mirai = function(n) {
    mirai::daemons(n)
    list(
      one = function(f, x) list(mirai::mirai(f(x), f = f, x = x)[]),
      each = function(x, f) mirai::mirai_map(x, f)[],
      single = function(x, f) mirai::mirai_map(x, f)[],
      map = function(f, a, b) setNames(mirai::mirai_map(cbind(a, b, deparse.level = 0), f)[], a),
      give = function(value) mirai::everywhere(NULL, large = value, .min = n)[],
      all = function(f) mirai::everywhere(f(), f = f, .min = n)[],
      end = function() mirai::daemons(0L)
    )
  },
  future = function(n) {
    options(parallelly.maxWorkers.localhost = c(Inf, Inf), future.globals.maxSize = Inf)
    future::plan(future::multisession, workers = n)
    list(
      one = function(f, x) {
        list(future::value(future::future(f(x), globals = list(f = f, x = x))))
      },
      each = function(x, f) future.apply::future_lapply(x, f),
      single = function(x, f) future.apply::future_lapply(x, f, future.chunk.size = 1),
      map = function(f, a, b) future.apply::future_mapply(f, a, b, SIMPLIFY = FALSE),
      end = function() future::plan(future::sequential)
    )
  },
  shard = function(n) {
    shard::pool_create(n)
    apply <- function(x, f, size) unname(shard::pool_lapply(x, f, chunk_size = size))
    shared <- NULL
    list(
      one = function(f, x) apply(list(x), f, 1L),
      each = function(x, f) apply(x, f, ceiling(length(x) / n)),
      single = function(x, f) apply(x, f, 1L),
      # It has no globals, but a segment that every node can map: `all` gives
      # it to the function's namesake.
      give = function(value) {
        if (!is.null(shared)) {
          close(shared)
        }
        shared <<- shard::share(value)
      },
      all = function(f) {
        blocks <- shard::shards(n, block_size = 1L)
        of <- function(shard, f, large) {
          environment(f) <- list2env(list(large = large), parent = globalenv())
          f()
        }
        given <- c(list(f = f), if (is.null(shared)) list(large = 0) else list(large = shared))
        shard::results(shard::shard_map(blocks, of, borrow = given, workers = n))
      },
      end = function() shard::pool_stop()
    )
  }
)

# The pool and every peer that is installed, started with n nodes each. The pool
# comes first: nobody's threads and handlers are in the session that it forks.
start_peers <- function(n, but = character()) {
  names <- setdiff(names(starters), but)
  names <- Filter(function(name) installed(needs[[name]]), names)
  peers <- lapply(setNames(nm = names), function(name) {
    tryCatch(starters[[name]](n), error = function(e) {
      message(name, " does not start here: ", conditionMessage(e))
    })
  })
  Filter(Negate(is.null), peers)
}

end_peers <- function(peers) {
  for (peer in peers) {
    peer$end()
  }
  Sys.sleep(0.5) # parallel complains at R's end of children that are still leaving
}

# A candidate of each peer that has the function which a row is about.
per_peer <- function(peers, what, candidate, but = character()) {
  peers <- Filter(function(peer) !is.null(peer[[what]]), peers[setdiff(names(peers), but)])
  lapply(peers, function(peer) candidate(peer[[what]], peer))
}
