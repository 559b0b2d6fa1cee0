# Random numbers: a stream for each element of a call.

# A .Random.seed of kind "L'Ecuyer-CMRG" (with R's default kinds of the rest) for
# what was given as `.seed`, or NULL. The session's own generator is asked, and
# moved on, only by TRUE.
check_seed <- function(seed) {
  if (is.null(seed) || isFALSE(seed)) {
    return(NULL)
  }
  if (isTRUE(seed)) {
    seed <- sample.int(.Machine$integer.max, 1L)
  }
  if (is.numeric(seed) && length(seed) == 1L && !is.na(seed) &&
    seed == trunc(seed) && abs(seed) <= .Machine$integer.max) {
    return(seed_of(as.integer(seed)))
  }
  if (is.integer(seed) && length(seed) == 7L && seed[[1L]] %in% lecuyer_kinds &&
    .Call(C_seed_valid, seed)) {
    return(seed)
  }
  stop_input(".seed", seed, "'.seed' must be NULL, TRUE, FALSE, a whole number ",
    "or a .Random.seed of kind \"L'Ecuyer-CMRG\", not ", given(seed)
  )
}

# .Random.seed[1]: generator, kind for the normal distribution, kind of sample().
# Not with Box-Muller, which keeps every other number where no seed reaches it, nor
# with a user's own.
lecuyer_kinds <- 7L + c(outer(100L * c(0L, 1L, 4L, 5L), 10000L * 0:1, `+`))

seed_of <- function(number) {
  before <- random_state()
  on.exit(set_random_state(before))
  set.seed(number, "L'Ecuyer-CMRG", "Inversion", "Rejection")
  get(".Random.seed", envir = globalenv(), inherits = FALSE)
}

# The kinds, and the seed, if there is one.
random_state <- function() {
  list(
    kinds = RNGkind(),
    seed = get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  )
}

set_random_state <- function(state) {
  if (is.null(state$seed)) {
    # To set the kinds makes a seed.
    suppressWarnings(do.call(RNGkind, as.list(state$kinds)))
    rm(".Random.seed", envir = globalenv())
  } else {
    assign(".Random.seed", state$seed, envir = globalenv())
  }
}
