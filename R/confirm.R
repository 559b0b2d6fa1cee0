# Deleting asks first, where somebody is there to answer.

confirmed <- function(confirm, what, name) {
  if (!check_flag(confirm, "confirm") || !somebody_there()) {
    return(TRUE)
  }
  isTRUE(ask(sprintf("Do you really want to delete the %s '%s'?", what, name)))
}

# By themselves, for the tests.
somebody_there <- function() interactive()
ask <- function(text) utils::askYesNo(text, FALSE)
