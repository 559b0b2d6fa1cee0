# A session that has used a connection of libcurl's keeps it open, and a fork
# inherits it: nodes that used the same one would read each other's replies.

# A server that keeps connections alive and answers with what was asked for.
server_code <- '
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = (self.path.strip("/") + "\\n").encode() * 500
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(sys.argv[1] + "-part", "w") as f:
    f.write(str(server.server_port))
import os
os.rename(sys.argv[1] + "-part", sys.argv[1])
server.serve_forever()
'

local_server <- function(env = parent.frame()) {
  skip_if_not_installed("callr")
  skip_if_not_installed("httr")
  skip_if_not_installed("processx")
  python <- Sys.which("python3")
  skip_if(!nzchar(python), "no python3 for a local server")
  file <- withr::local_tempfile(.local_envir = env)
  server <- processx::process$new(python, c("-c", server_code, file))
  withr::defer(server$kill(), envir = env)
  wait_until(function() file.exists(file))
  paste0("http://127.0.0.1:", readLines(file, warn = FALSE))
}

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("after httr was used, every download on six nodes is right,", type), {
      url <- local_server()
      result <- in_session(function(url, type) {
        fetch <- function(url, path) {
          httr::content(httr::GET(paste0(url, "/", path)), "text", encoding = "UTF-8")
        }
        before <- fetch(url, "before")
        suppressMessages(init_pool(6, type = type))
        # The session goes on with its connection while the nodes have theirs.
        paths <- paste0("file", 1:360)
        bodies <- pool_map(function(path, url, fetch) fetch(url, path), paths,
                           MoreArgs = list(url = url, fetch = fetch))
        after <- fetch(url, "after")
        each <- pool_call(function(url, fetch) fetch(url, Sys.getpid()), url, fetch)
        list(before, after, bodies, each, unlist(pool_call(Sys.getpid)))
      }, list(url, type))
      body <- function(text) strrep(paste0(text, "\n"), 500)
      expect_identical(result[[1]], body("before"))
      expect_identical(result[[2]], body("after"))
      expect_identical(unlist(result[[3]]), vapply(paste0("file", 1:360), body, ""))
      expect_identical(unlist(result[[4]]), vapply(result[[5]], body, ""))
    })
  })
}
