/* Registers what R calls; nothing else. */
#include <R.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>
#include <Rinternals.h>

#include "r_entry.h"
#include "r_strings.h"
#include "r_vector.h"

/* clang-format off: one to a line */
static const R_CallMethodDef entries[] = {
	{"C_load", (DL_FUNC)&C_load, 1},
	{"C_pool_directory", (DL_FUNC)&C_pool_directory, 1},
	{"C_pool_start", (DL_FUNC)&C_pool_start, 3},
	{"C_pool_ready", (DL_FUNC)&C_pool_ready, 1},
	{"C_pool_alive", (DL_FUNC)&C_pool_alive, 1},
	{"C_pool_state", (DL_FUNC)&C_pool_state, 2},
	{"C_pool_restart", (DL_FUNC)&C_pool_restart, 2},
	{"C_pool_adopt", (DL_FUNC)&C_pool_adopt, 2},
	{"C_pool_nodes", (DL_FUNC)&C_pool_nodes, 1},
	{"C_pool_setup", (DL_FUNC)&C_pool_setup, 2},
	{"C_pool_status", (DL_FUNC)&C_pool_status, 1},
	{"C_pool_idle", (DL_FUNC)&C_pool_idle, 1},
	{"C_pool_close", (DL_FUNC)&C_pool_close, 1},
	{"C_call_start", (DL_FUNC)&C_call_start, 6},
	{"C_call_quick", (DL_FUNC)&C_call_quick, 1},
	{"C_call_wait", (DL_FUNC)&C_call_wait, 1},
	{"C_call_finish", (DL_FUNC)&C_call_finish, 2},
	{"C_call_blob", (DL_FUNC)&C_call_blob, 1},
	{"C_call_doing", (DL_FUNC)&C_call_doing, 1},
	{"C_feed_open", (DL_FUNC)&C_feed_open, 2},
	{"C_feed_put", (DL_FUNC)&C_feed_put, 4},
	{"C_feed_wait", (DL_FUNC)&C_feed_wait, 3},
	{"C_feed_sent", (DL_FUNC)&C_feed_sent, 3},
	{"C_feed_drop", (DL_FUNC)&C_feed_drop, 3},
	{"C_feed_close", (DL_FUNC)&C_feed_close, 2},
	{"C_choice_none", (DL_FUNC)&C_choice_none, 0},
	{"C_trace_begin", (DL_FUNC)&C_trace_begin, 0},
	{"C_trace_end", (DL_FUNC)&C_trace_end, 1},
	{"C_seed_valid", (DL_FUNC)&C_seed_valid, 1},
	{"C_seed_stream", (DL_FUNC)&C_seed_stream, 2},
	{"C_template_run", (DL_FUNC)&C_template_run, 1},
	{"C_node_next", (DL_FUNC)&C_node_next, 0},
	{"C_node_payload", (DL_FUNC)&C_node_payload, 1},
	{"C_node_claim", (DL_FUNC)&C_node_claim, 1},
	{"C_node_interrupted", (DL_FUNC)&C_node_interrupted, 0},
	{"C_node_stuck", (DL_FUNC)&C_node_stuck, 0},
	{"C_claim_apply", (DL_FUNC)&C_claim_apply, 5},
	{"C_claim_lapply", (DL_FUNC)&C_claim_lapply, 2},
	{"C_claim_map", (DL_FUNC)&C_claim_map, 5},
	{"C_claim_steps", (DL_FUNC)&C_claim_steps, 1},
	{"C_claim_step", (DL_FUNC)&C_claim_step, 0},
	{"C_feed_cut", (DL_FUNC)&C_feed_cut, 3},
	{"C_claim_skip", (DL_FUNC)&C_claim_skip, 1},
	{"C_node_owes", (DL_FUNC)&C_node_owes, 0},
	{"C_node_unread", (DL_FUNC)&C_node_unread, 0},
	{"C_detach_start", (DL_FUNC)&C_detach_start, 3},
	{"C_detach_tell", (DL_FUNC)&C_detach_tell, 3},
	{"C_detach_report", (DL_FUNC)&C_detach_report, 1},
	{"C_detach_refused", (DL_FUNC)&C_detach_refused, 0},
	{"C_vector_mapped", (DL_FUNC)&C_vector_mapped, 0},
	{"C_node_reply", (DL_FUNC)&C_node_reply, 3},
	{"C_node_tell", (DL_FUNC)&C_node_tell, 1},
	{"C_bell_listen", (DL_FUNC)&C_bell_listen, 0},
	{"C_bell_accept", (DL_FUNC)&C_bell_accept, 0},
	{"C_bell_ring", (DL_FUNC)&C_bell_ring, 0},
	{"C_node_try", (DL_FUNC)&C_node_try, 1},
	{"C_node_leave", (DL_FUNC)&C_node_leave, 1},
	{"C_blob_list", (DL_FUNC)&C_blob_list, 2},
	{"C_template_globals", (DL_FUNC)&C_template_globals, 1},
	{"C_node_warm", (DL_FUNC)&C_node_warm, 2},
	{"C_http_alive", (DL_FUNC)&C_http_alive, 1},
	{"C_http_open", (DL_FUNC)&C_http_open, 2},
	{"C_http_requests", (DL_FUNC)&C_http_requests, 4},
	{"C_transfer_start", (DL_FUNC)&C_transfer_start, 4},
	{"C_transfer_account", (DL_FUNC)&C_transfer_account, 2},
	{"C_transfer_step", (DL_FUNC)&C_transfer_step, 2},
	{"C_transfer_result", (DL_FUNC)&C_transfer_result, 1},
	{"C_transfer_finish", (DL_FUNC)&C_transfer_finish, 1},
	{"C_base64_encode", (DL_FUNC)&C_base64_encode, 1},
	{"C_base64_decode", (DL_FUNC)&C_base64_decode, 1},
	{"C_hmac", (DL_FUNC)&C_hmac, 2},
	{"C_md5", (DL_FUNC)&C_md5, 1},
	{"C_cut", (DL_FUNC)&C_cut, 3},
	{"C_job_create", (DL_FUNC)&C_job_create, 4},
	{"C_job_open", (DL_FUNC)&C_job_open, 2},
	{"C_job_close", (DL_FUNC)&C_job_close, 1},
	{"C_job_delete", (DL_FUNC)&C_job_delete, 2},
	{"C_job_manifest", (DL_FUNC)&C_job_manifest, 1},
	{"C_job_add", (DL_FUNC)&C_job_add, 2},
	{"C_job_commit", (DL_FUNC)&C_job_commit, 6},
	{"C_job_charge", (DL_FUNC)&C_job_charge, 4},
	{"C_job_release", (DL_FUNC)&C_job_release, 2},
	{"C_job_status", (DL_FUNC)&C_job_status, 1},
	{"C_job_results", (DL_FUNC)&C_job_results, 3},
	{"C_job_abandoned", (DL_FUNC)&C_job_abandoned, 1},
	{"C_job_requeue", (DL_FUNC)&C_job_requeue, 1},
	{"C_job_terminate", (DL_FUNC)&C_job_terminate, 1},
	{"C_job_put_file", (DL_FUNC)&C_job_put_file, 3},
	{"C_job_get_file", (DL_FUNC)&C_job_get_file, 2},
	{"C_job_files", (DL_FUNC)&C_job_files, 1},
	{"C_queue_open", (DL_FUNC)&C_queue_open, 2},
	{"C_queue_is_closed", (DL_FUNC)&C_queue_is_closed, 1},
	{"C_queue_push", (DL_FUNC)&C_queue_push, 3},
	{"C_queue_count", (DL_FUNC)&C_queue_count, 2},
	{"C_queue_peek", (DL_FUNC)&C_queue_peek, 2},
	{"C_queue_shift", (DL_FUNC)&C_queue_shift, 3},
	{"C_queue_get", (DL_FUNC)&C_queue_get, 3},
	{"C_queue_list", (DL_FUNC)&C_queue_list, 2},
	{"C_queue_move", (DL_FUNC)&C_queue_move, 5},
	{"C_queue_move_all", (DL_FUNC)&C_queue_move_all, 3},
	{"C_queue_delete", (DL_FUNC)&C_queue_delete, 1},
	{NULL, NULL, 0},
};
/* clang-format on */

void attribute_visible R_init_pool(DllInfo *dll);

void attribute_visible R_init_pool(DllInfo *dll)
{
	R_registerRoutines(dll, NULL, entries, NULL, NULL);
	R_useDynamicSymbols(dll, FALSE);
	R_forceSymbols(dll, TRUE);
	r_vector_init(dll);
	r_strings_init(dll);
}
