# Elements of very unequal length, the long ones last: how long the nodes wait
# for the last of them; beside package parallel, and those peers that are
# installed.
#
#   Rscript bench/tail.R [rounds]        (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("peers.R"))
source(beside("works.R"))

nodes <- 4L
rounds <- rounds_asked(3L)
describe_machine()

# The worst case for shares that are dealt out beforehand.
naps <- c(rep(0.005, 198L), rep(0.4, 2L))
answer <- as.list(naps)
peers <- start_peers(nodes)
cluster <- makeCluster(nodes, type = "PSOCK")

unequal <- measure(sprintf("198 naps of 5 ms, then 2 of 400 ms, %d nodes", nodes), c(
  per_peer(peers, "single", function(single, peer) once(function() single(naps, nap), answer)),
  list(
    "parallel PSOCK, parLapply" = once(function() parLapply(cluster, naps, nap), answer),
    "bound: list scheduling" = function() list_schedule(naps, nodes)
  )
), rounds)
note(
  "Each peer sends an element when a node is free, parallel by clusterApplyLB(). The bound is ",
  "what naps of exactly their length would take."
)
goal_time(unequal, "bound: list scheduling", 1.04)

stopCluster(cluster)
end_peers(peers)
save_results()
