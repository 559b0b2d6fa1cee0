# Goes through every .Call entry of the package, its error paths too, and checks
# what comes out: for tests/gctorture.R and tests/valgrind.R, which look at how.
#
# session(): evaluates its argument in whatever way the session is looked at.
# nodes(): has the nodes of the pool, new ones each time, looked at from here on.

library(pool)
# Not when garbage collections are slow.
invisible(lapply(c("tools", "parallel"), loadNamespace))
# Compiling the functions below would take longer than all the rest; what the
# package has is compiled.
invisible(compiler::enableJIT(0L))
big <- 200000 # doubles: more than the megabyte from which results are streamed

quietly <- function(expr) suppressMessages(expr)

# The error that an expression ends with.
failure <- function(expr) {
  tryCatch(
    {
      expr
      stop("there was no error")
    },
    pool_error = identity
  )
}

# Nothing that is nested so deep can be serialized: the C stack is too small.
nest <- function() {
  torture <- gctorture2(0L) # it would take too long
  on.exit(gctorture2(torture))
  x <- NULL
  for (i in seq_len(100000L)) {
    x <- list(x)
  }
  x
}
stack_is_limited <- !is.na(Cstack_info()[["size"]])

source("tests/glue/exercise-store.R")
source("tests/glue/exercise-job.R")

node_pids <- function() .Call(pool:::C_pool_nodes, pool:::the$handle)

parent_of <- function(pid) {
  status <- readLines(sprintf("/proc/%d/status", pid))
  as.integer(sub("PPid:", "", grep("^PPid:", status, value = TRUE)))
}

# ---- what is sent and comes back ----

elements <- function(session) {
  add <- function(i, n) i + n
  columns <- list(
    1:3, c(1.5, -0, NA), c(TRUE, NA), c("a", NA, "\u00e9"), c(1i, 2), as.raw(1:2),
    list(1, "b", NULL), as.character(4:6), c(a = 1L, b = 2L), character(), NULL
  )
  for (x in columns) {
    stopifnot(identical(session(pool_lapply(x, identity)), lapply(x, identity)))
    if (length(x) > 0L) {
      stopifnot(identical(
        session(pool_map(function(a, b) list(a, b), x, rev(x))),
        Map(function(a, b) list(a, b), x, rev(x))
      ))
    }
  }
  stopifnot(identical(session(pool_lapply(1:5, add, n = 2L, chunk.size = 2)), as.list(3:7)))
  stopifnot(identical(session(pool_sapply(c(x = 1, y = 4), sqrt)), c(x = 1, y = 2)))
  stopifnot(identical(session(pool_lapply(1:2, "add_on_node")), as.list(11:12)))
}

# Names that no symbol was made of before; a static schedule.
arguments <- function(session, tag) {
  names <- paste0(c("first", "second", "third", "fourth"), tag)
  args <- list(function(...) list(...), 1:3, c("p", "q", "r"), .scheduling = "static")
  names(args)[2:3] <- names[1:2]
  args$MoreArgs <- stats::setNames(list(quote(x + y), 2:3), names[3:4])
  found <- session(do.call(pool_map, args, quote = TRUE))
  for (i in 1:3) {
    expected <- list(i, c("p", "q", "r")[[i]], quote(x + y), 2:3)
    stopifnot(identical(found[[i]], stats::setNames(expected, names)))
  }
  found <- session(pool_lapply(1:2, function(i, ...) names(list(...)), whatever = 1))
  stopifnot(identical(found, list("whatever", "whatever")))
}

everywhere <- function(session) {
  found <- session(pool_call(function(a, b) c(a, b), 1, b = 2))
  stopifnot(identical(found, list(c(1, 2), c(1, 2))))
  stopifnot(identical(unlist(session(pool_call(Sys.getpid))), session(node_pids())))
  e <- new.env()
  e$exported <- "value"
  e$other <- 1:10
  session(pool_export(c("exported", "other"), e))
  found <- session(pool_evalq(paste(exported, sum(other))))
  stopifnot(identical(found, list("value 55", "value 55")))
}

streams <- function(session) {
  x <- as.double(seq_len(big))
  size <- function(i, x) length(x) + i
  stopifnot(identical(session(pool_lapply(1, size, x = x)), list(big + 1)))
  stopifnot(identical(session(pool_lapply(c(1, 2), size, x = x)), list(big + 1, big + 2)))
  stopifnot(identical(session(pool_lapply(list(x, x), sum)), list(sum(x), sum(x))))
  make <- function(i, n) as.double(seq_len(n)) + i
  stopifnot(identical(
    session(pool_lapply(1:3, make, n = big)),
    lapply(1:3, make, n = big)
  ))
}

# Elements that nodes claim by themselves: of several blocks, where one is heavy.
staged <- function(session) {
  x <- c(as.list(1:40), list(NULL, "b", quote(f(x)), c(a = 1)), rep(list(1.5), 20))
  found <- session(pool_map(function(a, b) list(b, a), x, seq_along(x)))
  stopifnot(identical(found, Map(function(a, b) list(b, a), x, seq_along(x))))
  x[[50L]] <- raw(2^20)
  stopifnot(identical(session(pool_lapply(x, length)), lapply(x, length)))
  e <- session(failure(pool_lapply(1:40, function(i) if (i == 35L) stop("no ", i) else i)))
  stopifnot(e$index == 35L, identical(e$results, replace(as.list(1:40), 35L, list(NULL))))
}

# Vectors of a megabyte: raws take the least time.
large <- function(session) {
  x <- rep(as.raw(1:4), 2^18)
  y <- as.double(seq_len(2^17))
  found <- session(pool_lapply(list(x, list(x, list(y), x)), identity))
  stopifnot(identical(found, list(x, list(x, list(y), x))))
  stopifnot(identical(
    session(pool_lapply(list(x, y), function(i, a) list(i, a), a = x)),
    list(list(x, x), list(y, x))
  ))
  # Sent on, copied, changed, named: each of its own.
  a <- found[[1L]]
  found <- session({
    b <- a
    b[1L] <- as.raw(9L)
    d <- a
    names(d) <- NULL
    attr(d, "note") <- y
    pool_lapply(1:2, function(i, ...) list(...), a, b, d, x)
  })
  expected <- list(x, replace(x, 1L, as.raw(9L)), structure(x, note = y), x)
  stopifnot(identical(found, list(expected, expected)), identical(a, x))
  made <- session(pool_call(function(x) {
    y <- x
    y[2L] <- as.raw(0L)
    list(x, y, logical(2^18), integer(2^18), complex(2^16), y)
  }, x))
  y <- replace(x, 2L, as.raw(0L))
  expected <- list(x, y, logical(2^18), integer(2^18), complex(2^16), y)
  stopifnot(identical(made, list(expected, expected)))
  e <- new.env()
  e$large <- list(x, 1)
  session(pool_export("large", e))
  stopifnot(identical(session(pool_evalq(large))[[2L]], list(x, 1)))
  back <- session(unserialize(serialize(found[[1L]][[1L]], NULL)))
  stopifnot(identical(back, x))
  # More than are passed with a message.
  many <- lapply(1:34, function(i) x)
  stopifnot(identical(session(pool_lapply(list(many), length)), list(34L)))
  rm(found, made, many, a)
  invisible(gc())
}

# What has a compact form, and what just has none.
plain <- function(session) {
  latin <- "caf\xe9"
  Encoding(latin) <- "latin1"
  deep <- "innermost"
  for (i in 1:70) {
    deep <- list(i, deep)
  }
  x <- list(
    NULL, integer(), character(), list(), 1:3, c(TRUE, NA), c(1.5, -0, NaN), 1i, as.raw(7L),
    c("a", NA, "\u00e9", latin), strrep("long ", 2000), rep(2.5, 600), 1:2000,
    list(1, 2, NA), list("a", NA_character_, "\u20ac"), list(1L, "b", NULL, list(TRUE)),
    as.list(1:1100), list(1, c(a = 2)), factor("u"), as.character(1:30), deep, quote(x)
  )
  stopifnot(identical(session(pool_lapply(x, identity)), x))
  stopifnot(identical(session(pool_lapply(list(x), identity)), list(x)))
  back <- session(pool_lapply(1:2, function(i, ...) list(...), x, deep))
  stopifnot(identical(back, list(list(x, deep), list(x, deep))))
}

# Large character vectors, which nobody looks at while that is slow; names.
strings <- function(session) {
  x <- rep(c("a", NA, "\u00e9", ""), 2^14)
  found <- session(pool_lapply(list(x, list(x, 1), 1:3), identity))
  again <- session({
    y <- found[[1L]]
    pool_lapply(1:2, function(i, ...) list(...)[[i]], y, x)
  })
  one <- session(found[[1L]][[3L]])
  stopifnot(identical(one, "\u00e9"))
  quick <- gctorture2(0L)
  on.exit(gctorture2(quick))
  stopifnot(identical(found, list(x, list(x, 1), 1:3)), identical(again, list(x, x)))
  gctorture2(quick)
  records <- lapply(1:40, function(i) list(id = i, name = "n", more = c(a = i, b = 2)))
  stopifnot(identical(session(pool_lapply(records, identity)), records))
  stopifnot(identical(session(pool_lapply(list(records), identity)), list(records)))
}

# What a user may choose, and see.
choices <- function(session) {
  draw <- function(i) stats::runif(1L)
  found <- session(pool_lapply(1:40, draw, .seed = 1))
  stopifnot(identical(found[3:1], session(pool_lapply(1:3, draw, .seed = 1))[3:1]))
  seed <- session(pool:::seed_of(1L))
  stopifnot(identical(session(pool_lapply(1:2, draw, .seed = seed)), found[1:2]))
  stopifnot(inherits(session(failure(pool_lapply(1, draw, .seed = 1:7))), "pool_input_error"))
  fail <- function(i) if (i == 2L) stop("two") else i
  found <- session(pool_lapply(1:3, fail, .on_error = "return"))
  stopifnot(identical(found[-2L], list(1L, 3L)), inherits(found[[2L]], "pool_task_error"))
  e <- session(failure(pool_lapply(1:40, fail, .on_error = "stop")))
  stopifnot(identical(e$index, 2L))
  hang <- function(i) if (i == 2L) Sys.sleep(60) else i
  e <- session(failure(pool_lapply(1:2, hang, .timeout = 8)))
  stopifnot(inherits(e, "pool_timeout_error"), identical(e$results, list(1L, NULL)))
  status <- session(pool_status())
  stopifnot(nrow(status) == pool_size(), all(status$state == "idle" | status$state == "gone"))
}

# A function that nodes have from the last call.
kept <- function(session) {
  f <- eval(quote(function(i) i + 1), globalenv())
  g <- eval(quote(function(i) i * 2), globalenv())
  stopifnot(identical(session(pool_lapply(as.double(1:40), f)), as.list(2:41 + 0)))
  for (round in 1:2) {
    stopifnot(identical(session(pool_lapply(c(1, 2), f)), list(2, 3)))
    stopifnot(identical(session(pool_lapply(1, f)), list(2)))
    stopifnot(identical(session(pool_map(f, c(1, 2))), list(2, 3)))
    stopifnot(identical(session(pool_lapply(c(1, 2), g)), list(2, 4)))
    body(f) <- quote(i + 2 - 1)
    e <- session(failure(pool_lapply(list(1, "a"), g)))
    stopifnot(inherits(e, "pool_task_error"), identical(e$results, list(2, NULL)))
  }
}

# Messages to nodes, by way of a cluster; what is told before a result, what is given up,
# and the bell.
clusters <- function(session) {
  cl <- session(pool_cluster())
  stopifnot(identical(session(parallel::clusterApply(cl, 1:3, sqrt)), lapply(1:3, sqrt)))
  stopifnot(identical(session(parallel::clusterApplyLB(cl, 1:5, identity)), as.list(1:5)))
  x <- as.double(seq_len(big))
  stopifnot(identical(session(parallel::clusterCall(cl, sum, x)), list(sum(x), sum(x))))
  con <- session(cl[[1L]]$con)
  stopifnot(inherits(con, "sockconn"))
  send <- asNamespace("parallel")$sendCall
  receive <- asNamespace("parallel")$recvData
  tells <- function(x) {
    master <- get("master", Find(function(f) exists("master", f, inherits = FALSE), sys.frames()))
    asNamespace("parallel")$sendData(master, x)
    "result"
  }
  session(send(cl[[1L]], tells, list(list("told", 1))))
  stopifnot(identical(session(receive(cl[[1L]])), list("told", 1)))
  stopifnot(identical(session(receive(cl[[1L]]))$value, "result"))
  session(send(cl[[2L]], Sys.sleep, list(60)))
  session(send(cl[[1L]], identity, list(1)))
  stopifnot(session(asNamespace("pool")$killNode.pool_node(cl[[2L]])))
  stopifnot(inherits(session(failure(receive(cl[[2L]]))), "pool_worker_error"))
  stopifnot(identical(session(receive(cl[[1L]]))$value, 1))
  if (stack_is_limited) {
    e <- session(failure(parallel::clusterCall(cl, length, list(numeric(big), nest()))))
    stopifnot(inherits(e, "pool_serialize_error"))
  }
  session(send(cl[[1L]], Sys.sleep, list(60)))
  session(parallel::stopCluster(cl))
  stopifnot(identical(session(pool_lapply(1:2, identity)), as.list(1:2)))
}

# ---- what goes wrong ----

task_errors <- function(session) {
  e <- session(failure(pool_lapply(c(a = 1, b = 2, c = 3), function(i) {
    if (i > 1) stop("no ", i) else i
  })))
  stopifnot(
    inherits(e, "pool_task_error"), e$index == 2L, e$name == "b",
    length(e$errors) == 2L, identical(e$results, list(a = 1, b = NULL, c = NULL)),
    grepl("no 2", conditionMessage(e)), any(grepl("stop", e$traceback))
  )
  e <- session(failure(pool_lapply(1:2, function(i) invokeRestart("abort"))))
  stopifnot(inherits(e, "pool_task_error"), length(e$errors) == 2L)
  e <- session(failure(pool_map("no_such_function", 1:2)))
  stopifnot(inherits(e, "pool_task_error"))
}

# Warnings and messages, of which handlers make use.
relays <- function(session) {
  heard <- character()
  value <- session(withCallingHandlers(
    pool_lapply(1:3, function(i) {
      message("message ", i)
      warning("warning ", i)
      i
    }),
    message = function(m) {
      heard <<- c(heard, conditionMessage(m))
      invokeRestart("muffleMessage")
    },
    warning = function(w) {
      heard <<- c(heard, conditionMessage(w))
      inside <- failure(pool_lapply(1, identity)) # not now
      stopifnot(inherits(inside, "pool_busy_error"))
      invokeRestart("muffleWarning")
    }
  ))
  expected <- c(paste0("message ", 1:3, "\n"), paste("warning", 1:3))
  stopifnot(identical(value, as.list(1:3)), setequal(heard, expected))
  # A jump out of the call; the next one is none the worse.
  e <- session(tryCatch(
    pool_lapply(1:4, function(i) warning("warning ", i)),
    warning = identity
  ))
  stopifnot(grepl("warning", conditionMessage(e)))
  stopifnot(identical(session(pool_lapply(1:3, identity)), as.list(1:3)))
}

# (Not made where what they would take along is.)
return_deep <- function(i, n) if (i == 2L) list(numeric(n), nest()) else i
fail_deep <- function(i) {
  stop(structure(
    class = c("odd", "error", "condition"),
    list(message = "odd", call = NULL, deep = nest())
  ))
}

# The session's objects, and the nodes'; alone, and behind a megabyte that is
# sent by then.
unserializable <- function(session) {
  if (!stack_is_limited) {
    return(invisible())
  }
  deep <- nest()
  for (x in list(list(deep), list(numeric(big), deep))) {
    for (n in 1:2) {
      e <- session(failure(pool_lapply(seq_len(n), function(i, x) i, x = x)))
      stopifnot(inherits(e, "pool_serialize_error"))
    }
    e <- session(failure(pool_lapply(list(1, x), length)))
    stopifnot(inherits(e, "pool_serialize_error"))
  }
  for (n in c(1, big)) {
    e <- session(failure(pool_lapply(1:3, return_deep, n = n)))
    stopifnot(
      inherits(e, "pool_task_error"), e$index == 2L,
      grepl("cannot be sent", conditionMessage(e)),
      identical(e$results, list(1L, NULL, 3L))
    )
  }
  e <- session(failure(pool_lapply(1, fail_deep)))
  stopifnot(grepl("odd", conditionMessage(e)))
}

misuse <- function(session) {
  handle <- pool:::the$handle
  e <- session(failure(.Call(pool:::C_call_wait, handle)))
  stopifnot(inherits(e, "pool_absent_error"))
  e <- session(failure(.Call(pool:::C_call_wait, NULL)))
  stopifnot(inherits(e, "pool_absent_error"))
  stopifnot(!session(.Call(pool:::C_pool_alive, NULL)))
  stopifnot(is.null(session(.Call(pool:::C_call_finish, handle, NULL))))
}

# ---- deaths ----

# A file that is there from the second time on.
die_once <- function(i, flag, victim) {
  if (i == 2L && file.create(paste0(flag, Sys.getpid())) &&
    file.rename(paste0(flag, Sys.getpid()), flag) && !file.exists(paste0(flag, "done"))) {
    file.create(paste0(flag, "done"))
    tools::pskill(if (is.null(victim)) Sys.getpid() else victim, 9L)
    Sys.sleep(5)
  }
  i
}

deaths <- function(session) {
  flag <- tempfile()
  found <- session(pool_lapply(1:3, die_once, flag = flag, victim = NULL))
  stopifnot(identical(found, as.list(1:3)))
  # The one that took its place has gone through the set-up.
  stopifnot(identical(session(pool_evalq(exported)), list("value", "value")))
  e <- session(failure(pool_lapply(1:3, function(i) if (i == 2L) quit(status = 3) else i)))
  stopifnot(
    inherits(e, "pool_worker_error"), e$index == 2L,
    grepl("quit with status 3", conditionMessage(e)),
    identical(e$results, list(1L, NULL, 3L))
  )
  # The template, in the middle of a call.
  flag <- tempfile()
  of_node <- function() parent_of(pool_call(Sys.getpid)[[1L]])
  template <- of_node()
  found <- session(quietly(pool_lapply(1:3, die_once, flag = flag, victim = template)))
  stopifnot(identical(found, as.list(1:3)), of_node() != template)
  stopifnot(identical(session(pool_evalq(exported)), list("value", "value")))
}

# ---- all of it ----

# What the tasks above use.
on_nodes <- function() {
  pool_evalq({
    compiler::enableJIT(0L)
    add_on_node <- function(i) i + 10L
    NULL
  })
  pool_export("nest")
}

# Recorded by traces, and watched.
looked_at <- function(session) {
  # To load cli is not what is looked at, and takes minutes under gctorture().
  quietly(pool_lapply(1:3, identity, .progress = TRUE))
  odd <- function(i) if (i %in% c(2, 33)) stop("odd") else i
  trace <- session(pool_trace({
    pool_trace(pool_call(function() 1))
    pool_lapply(1:33, odd, .on_error = "return")
  }))
  done <- trace$tasks[trace$tasks$outcome %in% c("done", "error"), ]
  counts <- tapply(done$count, done$call, sum)
  stopifnot(identical(as.vector(counts), as.numeric(c(pool_size(), 33))))
  stopifnot(sum(trace$tasks$outcome == "error") == 2L)
  stopifnot(identical(session(pool_lapply(1:3, identity, .progress = TRUE)), as.list(1:3)))
}

go_through <- function(session, tag) {
  steps <- list(
    elements = elements,
    arguments = function(session) arguments(session, tag),
    everywhere = everywhere,
    streams = streams,
    staged = staged,
    large = large,
    plain = plain,
    kept = kept,
    strings = strings,
    choices = choices,
    clusters = clusters,
    "looked at" = looked_at,
    "task errors" = task_errors,
    relays = relays,
    unserializable = unserializable,
    misuse = misuse,
    stores = stores,
    queues = queues,
    "open calls" = open_calls,
    jobs = jobs,
    supervisors = supervisors,
    deaths = deaths
  )
  for (name in names(steps)) {
    took <- system.time(steps[[name]](session), gcFirst = FALSE)[["elapsed"]]
    cat(sprintf("%6.1f s  %s%s\n", took, name, tag))
  }
}
