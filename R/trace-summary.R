# What a trace comes to: how busy the nodes were, and what the time went by with.

#' @rdname pool_trace
#' @order 3
#' @export
summary.pool_trace <- function(object, ...) {
  structure(
    class = "summary.pool_trace",
    list(
      elapsed = object$elapsed,
      calls = bind_rows(trace_calls(object, trace_call_summary)),
      nodes = trace_nodes(object),
      path = bind_rows(trace_calls(object, trace_path)),
      accidents = trace_accidents(object$tasks)
    )
  )
}

bind_rows <- function(parts) {
  if (length(parts)) do.call(rbind, parts) else data.frame()
}

# fun(call, its tasks, what the session did for it) of each call.
trace_calls <- function(trace, fun) {
  part <- function(rows) split(rows, factor(rows$call, trace$calls$call))
  Map(fun, part(trace$calls), part(trace$tasks), part(trace$session))
}

trace_call_summary <- function(call, tasks, session) {
  took <- tasks$end - tasks$begin
  elapsed <- call$end - call$begin
  work <- sum(took)
  single <- tasks$count == 1
  longest <- if (any(single)) which(single)[[which.max(took[single])]] else NA_integer_
  waits <- trace_waits(call, tasks)
  data.frame(
    call = call$call, what = call$what, kind = call$kind, nodes = call$nodes,
    elements = call$elements, elapsed = elapsed, work = work,
    utilisation = work / (call$nodes * elapsed),
    bound = max(work / call$nodes, took[longest], na.rm = TRUE),
    longest = tasks$first[longest], longest_took = took[longest],
    last = if (nrow(tasks)) tasks$first[[which.max(tasks$end)]] else NA_real_,
    used = length(unique(tasks$node)),
    wait_start = waits[[1L]], wait_between = waits[[2L]], wait_end = waits[[3L]],
    sending = sum_of(session, "send"), taking = sum_of(session, "take")
  )
}

sum_of <- function(session, what) {
  sum((session$end - session$begin)[session$what == what])
}

# Seconds that nodes waited, together: before their first element, between two, after
# their last. Those that had none are left out.
trace_waits <- function(call, tasks) {
  if (nrow(tasks) == 0L) {
    return(c(0, 0, 0))
  }
  first <- tapply(tasks$begin, tasks$node, min)
  last <- tapply(tasks$end, tasks$node, max)
  total <- length(first) * (call$end - call$begin) - sum(tasks$end - tasks$begin)
  start <- sum(first - call$begin)
  end <- sum(call$end - last)
  c(start, max(0, total - start - end), end)
}

trace_nodes <- function(trace) {
  tasks <- trace$tasks
  n <- max(0, trace$calls$nodes, tasks$node)
  in_calls <- sum(trace$calls$end - trace$calls$begin)
  per_node <- function(x) {
    found <- tapply(x, factor(tasks$node, seq_len(n)), sum)
    ifelse(is.na(found), 0, as.vector(found))
  }
  busy <- per_node(tasks$end - tasks$begin)
  data.frame(
    node = seq_len(n),
    elements = per_node(tasks$count * (tasks$outcome %in% c("done", "error"))),
    busy = busy,
    utilisation = if (in_calls > 0) busy / in_calls else rep(NA_real_, n),
    deaths = per_node(tasks$outcome %in% c("lost", "timeout"))
  )
}

# From the end of a call to its beginning: steps of what, node, first, begin, end, in
# the order of time.
trace_path <- function(call, tasks, session) {
  tasks <- tasks[tasks$count > 0, ]
  chain <- path_chain(tasks)
  begin <- tasks$begin[chain]
  end <- tasks$end[chain]
  n <- length(chain)
  gaps <- data.frame(
    what = if (n > 0L) c("start", rep("wait", n - 1L), "finish") else "wait",
    node = tasks$node[c(chain, chain[n])][seq_len(n + 1L)], first = NA_real_, count = 0,
    begin = c(call$begin, end), end = c(begin, call$end)
  )
  runs <- data.frame(
    what = rep("run", n), node = tasks$node[chain], first = tasks$first[chain],
    count = tasks$count[chain], begin = begin, end = end
  )
  steps <- rbind(gaps, runs)
  steps <- steps[order(steps$begin, steps$what == "run", steps$end), ]
  steps <- cbind(call = rep(call$call, nrow(steps)), steps)
  row.names(steps) <- NULL
  steps
}

# The rows that a call's end waited for, in the order of time: from the last one to end
# each time to the one that ended last of those it had to wait for.
path_chain <- function(tasks) {
  n <- nrow(tasks)
  before <- integer(n) # on the same node; they are in the order of time
  for (rows in split(seq_len(n), tasks$node)) {
    before[rows] <- c(0L, rows[-length(rows)])
  }
  chain <- integer(n)
  length <- 0L
  at <- if (n > 0L) which.max(tasks$end) else 0L
  while (at > 0L) {
    length <- length + 1L
    chain[[length]] <- at
    earlier <- c(before[[at]], if (tasks$try[[at]] > 1L) path_retries(tasks, at))
    earlier <- earlier[earlier > 0L & earlier < at]
    at <- if (length(earlier)) earlier[[which.max(tasks$end[earlier])]] else 0L
  }
  rev(chain[seq_len(length)])
}

# Earlier tries of the element of a row.
path_retries <- function(tasks, at) {
  which(tasks$count == 1 & tasks$first == tasks$first[[at]] & tasks$try < tasks$try[[at]])
}

#' @rdname pool_trace
#' @order 6
#' @export
print.summary.pool_trace <- function(x, ...) {
  n <- NROW(x$calls)
  cat(sprintf("%s, %s of %s in calls on the pool\n", count_text(n, "call"),
    seconds_text(sum(x$calls$elapsed)), seconds_text(x$elapsed)
  ))
  if (n == 0L) {
    return(invisible(x))
  }
  shown <- if (n > 5L) 3L else n
  if (n > shown) {
    cat("\nOn average\n")
    print_call_lines(data.frame(lapply(Filter(is.numeric, x$calls), mean)))
    cat(sprintf("\nThe %d longest\n", shown))
  }
  for (i in sort(utils::head(order(x$calls$elapsed, decreasing = TRUE), shown))) {
    cat(sprintf("\n%d. %s\n", x$calls$call[[i]], x$calls$what[[i]]))
    print_call_lines(x$calls[i, ])
    path <- x$path[x$path$call == x$calls$call[[i]], ]
    print_line("critical path", path_text(path))
    print_line("so", trace_verdict(x$calls[i, ]))
  }
  if (length(x$accidents)) {
    cat("\n", x$accidents, sep = "")
  }
  cat("\nNodes\n")
  nodes <- x$nodes
  nodes$busy <- vapply(nodes$busy, seconds_text, "")
  nodes$utilisation <- percent_text(nodes$utilisation)
  if (!any(nodes$deaths > 0)) {
    nodes$deaths <- NULL
  }
  print(nodes, row.names = FALSE)
  invisible(x)
}

print_line <- function(name, ...) {
  text <- strwrap(sprintf(...), width = max(40, getOption("width") - 17))
  cat(sprintf("  %-14s %s\n", c(name, rep("", length(text) - 1L)), text), sep = "")
}

print_call_lines <- function(call) {
  print_line("time", "%s; no pool of %s could take less than %s",
    seconds_text(call$elapsed), count_text(round(call$nodes, 1L), "node"),
    seconds_text(call$bound)
  )
  print_line("work", "%s in %s; nodes were busy for %s of their time",
    seconds_text(call$work), count_text(round(call$elements, 1L), "element"),
    percent_text(call$work / (call$nodes * call$elapsed))
  )
  waits <- c(call$wait_start, call$wait_between, call$wait_end) / max(1, call$used)
  idle <- round(call$nodes - call$used, 1L)
  print_line("waiting",
    "%s before the first element, %s between, %s after the last (mean of nodes)%s",
    seconds_text(waits[[1L]]), seconds_text(waits[[2L]]), seconds_text(waits[[3L]]),
    if (idle > 0) paste0("; ", count_text(idle, "node"), " not used") else ""
  )
  print_line("session", "%s sending, %s taking results in", seconds_text(call$sending),
    seconds_text(call$taking)
  )
}

path_text <- function(path) {
  runs <- path[path$what == "run", ]
  if (nrow(runs) == 0L) {
    return("no element was run")
  }
  took <- runs$end - runs$begin
  nodes <- unique(runs$node)
  text <- sprintf("%s on node%s %s: %s running, %s waiting",
    count_text(sum(runs$count), "element"), if (length(nodes) > 1L) "s" else "",
    paste(utils::head(nodes, 5L), collapse = ", "), seconds_text(sum(took)),
    seconds_text(sum(path$end - path$begin) - sum(took))
  )
  top <- which.max(took)
  if (runs$count[[top]] == 1 && took[[top]] > 0.25 * sum(took) && nrow(runs) > 1L) {
    text <- paste0(text, sprintf("; of that element %.0f alone %s", runs$first[[top]],
      seconds_text(took[[top]])
    ))
  }
  text
}

# What the time was lost by, in a sentence.
trace_verdict <- function(call) {
  share <- c(
    start = call$wait_start, between = call$wait_between, end = call$wait_end
  ) / (call$nodes * call$elapsed)
  slow <- !is.na(call$longest_took) && call$longest_took > 2 * call$work / call$elements
  alone <- slow && call$longest_took > 1.2 * call$work / call$nodes
  if (call$kind == "each") {
    "once on every node: most of it is the way there and back"
  } else if (call$elements < call$nodes) {
    sprintf("%s for %s: the others had nothing to do", count_text(call$elements, "element"),
      count_text(call$nodes, "node")
    )
  } else if (alone && call$longest_took > 0.75 * call$elapsed) {
    sprintf("element %.0f alone takes most of the time: more nodes will not help", call$longest)
  } else if (call$work < 1.2 * call$elapsed && call$nodes > 1) {
    sprintf("its elements take %s together: lapply() would be about as fast",
      seconds_text(call$work)
    )
  } else if (call$utilisation > 0.85) {
    "the nodes were busy: on more of them it would be faster, if there are the cores"
  } else if (share[["end"]] == max(share)) {
    if (slow && call$last %in% call$longest) {
      sprintf("at the end nodes waited for element %.0f, the slowest: put such ones first",
        call$longest
      )
    } else {
      "at the end nodes waited for the last ones: smaller elements would even that out"
    }
  } else if (call$sending + call$taking > 0.5 * call$elapsed) {
    "nodes waited for the session, which was sending or taking in: send less, return less"
  } else if (share[["start"]] == max(share)) {
    "most of the waiting was before the first element: the call is short, or one of many"
  } else {
    "nodes waited between elements: these are short, or few at a time"
  }
}
