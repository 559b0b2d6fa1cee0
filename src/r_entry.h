/* What R calls: every .Call entry, by the file that has it. */
#ifndef POOL_R_ENTRY_H
#define POOL_R_ENTRY_H

#include <Rinternals.h>

/* r_util.c */
SEXP C_load(SEXP env);

/* r_pool.c: the session's pool */
SEXP C_pool_directory(SEXP parent);
SEXP C_pool_start(SEXP program, SEXP environment, SEXP options);
SEXP C_pool_ready(SEXP handle);
SEXP C_pool_alive(SEXP handle);
SEXP C_pool_state(SEXP handle, SEXP state);
SEXP C_pool_restart(SEXP handle, SEXP size);
SEXP C_pool_adopt(SEXP handle, SEXP fresh);
SEXP C_pool_nodes(SEXP handle);
SEXP C_pool_setup(SEXP handle, SEXP calls);
SEXP C_pool_status(SEXP handle);
SEXP C_pool_idle(SEXP handle);
SEXP C_pool_close(SEXP handle);

/* r_call.c: a call on it */
SEXP C_call_quick(SEXP handle);
SEXP C_call_start(SEXP handle, SEXP token, SEXP constant, SEXP elements, SEXP n,
		  SEXP plan);
SEXP C_call_wait(SEXP handle);
SEXP C_call_finish(SEXP handle, SEXP token);
SEXP C_call_blob(SEXP handle);
SEXP C_call_doing(SEXP handle);

/* r_feed.c: one whose elements come while it runs */
SEXP C_feed_open(SEXP handle, SEXP token);
SEXP C_feed_put(SEXP handle, SEXP token, SEXP x, SEXP slot);
SEXP C_feed_wait(SEXP handle, SEXP token, SEXP seconds);
SEXP C_feed_cut(SEXP handle, SEXP token, SEXP place);
SEXP C_feed_sent(SEXP handle, SEXP token, SEXP place);
SEXP C_feed_drop(SEXP handle, SEXP token, SEXP place);
SEXP C_feed_close(SEXP handle, SEXP token);

/* r_limits.c: what a user may choose */
SEXP C_choice_none(void);

/* r_trace.c: who ran what when */
SEXP C_trace_begin(void);
SEXP C_trace_end(SEXP mark);

/* r_seed.c: random numbers */
SEXP C_seed_valid(SEXP x);
SEXP C_seed_stream(SEXP x, SEXP streams);

/* r_mapping.c: mapped vectors */
SEXP C_vector_mapped(void);

/* r_template.c: the template */
SEXP C_template_run(SEXP options);
SEXP C_template_globals(SEXP names);

/* r_node.c: a worker's messages */
SEXP C_node_next(void);
SEXP C_node_payload(SEXP columns);
SEXP C_node_claim(SEXP limits);
SEXP C_node_interrupted(void);
SEXP C_node_stuck(void);
SEXP C_node_owes(void);
SEXP C_node_unread(void);
SEXP C_node_reply(SEXP value, SEXP kind, SEXP count);
SEXP C_node_try(SEXP value);
SEXP C_node_leave(SEXP status);
SEXP C_node_warm(SEXP constant, SEXP elements);

/* r_bell.c: what a node says before its result */
SEXP C_bell_listen(void);
SEXP C_bell_accept(void);
SEXP C_bell_ring(void);
SEXP C_node_tell(SEXP x);

/* r_claim.c: the elements of a claim */
SEXP C_claim_apply(SEXP runner, SEXP fun, SEXP x, SEXP more, SEXP quote);
SEXP C_claim_lapply(SEXP env, SEXP claim);
SEXP C_claim_map(SEXP fun, SEXP columns, SEXP more, SEXP claim, SEXP quote);
SEXP C_claim_skip(SEXP claim);
SEXP C_claim_steps(SEXP most);
SEXP C_claim_step(void);

/* r_detach.c: a supervisor, both ends */
SEXP C_detach_start(SEXP program, SEXP environment, SEXP log);
SEXP C_detach_tell(SEXP handle, SEXP bytes, SEXP seconds);
SEXP C_detach_report(SEXP bytes);
SEXP C_detach_refused(void);

/* r_http.c: requests */
SEXP C_http_alive(SEXP handle);
SEXP C_http_open(SEXP ca_file, SEXP agent);
SEXP C_http_requests(SEXP handle, SEXP accounts, SEXP requests, SEXP most);

/* r_transfer.c: many transfers */
SEXP C_transfer_start(SEXP http, SEXP account, SEXP columns, SEXP options);
SEXP C_transfer_account(SEXP handle, SEXP account);
SEXP C_transfer_step(SEXP handle, SEXP ms);
SEXP C_transfer_result(SEXP handle);
SEXP C_transfer_finish(SEXP handle);

/* r_sign.c: digests, and packs of records */
SEXP C_base64_encode(SEXP bytes);
SEXP C_base64_decode(SEXP text);
SEXP C_hmac(SEXP key, SEXP bytes);
SEXP C_md5(SEXP bytes);
SEXP C_cut(SEXP bytes, SEXP at, SEXP sizes);

/* r_store.c: jobs in directories */
SEXP C_job_create(SEXP path, SEXP id, SEXP manifest, SEXP tasks);
SEXP C_job_open(SEXP path, SEXP id);
SEXP C_job_close(SEXP handle);
SEXP C_job_delete(SEXP path, SEXP id);
SEXP C_job_manifest(SEXP handle);
SEXP C_job_add(SEXP handle, SEXP tasks);
SEXP C_job_commit(SEXP handle, SEXP task, SEXP failed, SEXP result,
		  SEXP seconds, SEXP most);
SEXP C_job_charge(SEXP handle, SEXP task, SEXP most, SEXP result);
SEXP C_job_release(SEXP handle, SEXP task);
SEXP C_job_status(SEXP handle);
SEXP C_job_results(SEXP handle, SEXP from, SEXP n);
SEXP C_job_abandoned(SEXP handle);
SEXP C_job_requeue(SEXP handle);
SEXP C_job_terminate(SEXP handle);

/* r_job_file.c: their files */
SEXP C_job_put_file(SEXP handle, SEXP name, SEXP x);
SEXP C_job_get_file(SEXP handle, SEXP name);
SEXP C_job_files(SEXP handle);

/* r_queue.c: queues in directories */
SEXP C_queue_open(SEXP path, SEXP create);
SEXP C_queue_is_closed(SEXP handle);
SEXP C_queue_push(SEXP handle, SEXP table, SEXP values);
SEXP C_queue_count(SEXP handle, SEXP table);
SEXP C_queue_peek(SEXP handle, SEXP table);
SEXP C_queue_shift(SEXP handle, SEXP from, SEXP to);
SEXP C_queue_get(SEXP handle, SEXP table, SEXP key);
SEXP C_queue_list(SEXP handle, SEXP table);
SEXP C_queue_move(SEXP handle, SEXP from, SEXP key, SEXP to, SEXP value);
SEXP C_queue_move_all(SEXP handle, SEXP from, SEXP to);
SEXP C_queue_delete(SEXP path);

/* r_blob_list.c: a page of a listing */
SEXP C_blob_list(SEXP body, SEXP wanted);

#endif
