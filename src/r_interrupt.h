/*
 * SIGINT in a worker.
 *
 * One that the session asked for carries the number of the call it is meant
 * for, and reaches R only while elements of that call are evaluated: one that
 * comes late cannot hit the next. Anybody else's interrupts what is running.
 */
#ifndef POOL_R_INTERRUPT_H
#define POOL_R_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the signal over from R, once. */
void r_interrupt_init(void);

/* From here on R is interrupted where it asks; from here on it is not. */
void r_interrupt_allow(uint32_t call);
void r_interrupt_deny(void);

/* Has one come that was meant for the call? */
bool r_interrupt_came(void);

/* Denied, and forgotten, by R too. */
void r_interrupt_settle(void);

#endif
