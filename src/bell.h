/*
 * A doorbell: a connection over the loopback interface, on which one end only
 * ever rings. It is for whoever can wait for a socket, but not for what else
 * tells that a node has something to say.
 *
 * The end that rings waits for the other at a port of its own, and knows it by
 * a word. In a fork of its process it is closed: only the end of this very
 * process is to show as the end of the connection. All return 0 or -errno.
 */
#ifndef POOL_BELL_H
#define POOL_BELL_H

enum { BELL_WORD = 16 };

struct bell {
	int at; /* listens; -1: not */
	int fd; /* rings; -1: not */
	unsigned char word[BELL_WORD];
};

/* There is one in a process. */
#define BELL_NONE                                                              \
	{                                                                      \
		-1, -1,                                                        \
		{                                                              \
			0                                                      \
		}                                                              \
	}

/* Hangs the bell, in place of what was there: where it listens, and what for.
 */
int bell_listen(struct bell *b, int *port);

/* Waits for the word, at most `ms` milliseconds (-ETIMEDOUT). */
int bell_accept(struct bell *b, int ms);

/* Rings, if there is anybody. */
void bell_ring(const struct bell *b);

void bell_close(struct bell *b);

/* Forgets it without closing: its numbers are somebody else's by now. */
void bell_forget(struct bell *b);

#endif
