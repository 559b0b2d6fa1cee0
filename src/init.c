/* Registers what R calls; nothing else. */
#include <R.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>
#include <Rinternals.h>

#include "r_entry.h"

#define ENTRY(name, n) {#name, (DL_FUNC)&name, n}

static const R_CallMethodDef entries[] = {
	ENTRY(C_load, 1),
	ENTRY(C_pool_start, 3),
	ENTRY(C_pool_ready, 1),
	ENTRY(C_pool_alive, 1),
	ENTRY(C_pool_state, 2),
	ENTRY(C_pool_restart, 2),
	ENTRY(C_pool_adopt, 2),
	ENTRY(C_pool_nodes, 1),
	ENTRY(C_pool_setup, 2),
	ENTRY(C_pool_close, 1),
	ENTRY(C_call_start, 6),
	ENTRY(C_call_wait, 1),
	ENTRY(C_call_finish, 2),
	ENTRY(C_call_blob, 1),
	ENTRY(C_call_doing, 1),
	ENTRY(C_template_run, 1),
	ENTRY(C_node_next, 0),
	ENTRY(C_node_payload, 0),
	ENTRY(C_node_claim, 0),
	ENTRY(C_node_apply, 5),
	ENTRY(C_node_lapply, 2),
	ENTRY(C_node_map, 5),
	ENTRY(C_node_skip, 1),
	ENTRY(C_node_reply, 2),
	ENTRY(C_node_try, 1),
	ENTRY(C_node_leave, 1),
	ENTRY(C_node_globals, 1),
	ENTRY(C_node_warm, 2),
	{NULL, NULL, 0},
};

void attribute_visible R_init_pool(DllInfo *dll);

void attribute_visible R_init_pool(DllInfo *dll)
{
	R_registerRoutines(dll, NULL, entries, NULL, NULL);
	R_useDynamicSymbols(dll, FALSE);
	R_forceSymbols(dll, TRUE);
}
