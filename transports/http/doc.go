// Package http carries packages over plain HTTP: through every firewall and proxy, from any language, and easy to look
// into. It has two halves. Handler shows any other transport to the network (mostly a mem.Hub in the same process, of mem.Open if its log is to outlive that) and is
// mounted in a server of yours; Dial makes a transport that speaks to such a handler.
//
// The protocol, below the address at which the handler is mounted. A site, a database and a cursor are query parameters;
// cursors are base64url. Packages travel as a sequence of frames: one line of JSON {"db","site","from","to","id","size"},
// then size bytes.
//
//	POST v1/log?db=               publish frames
//	GET  v1/log?db=&cursor=&wait= packages behind the cursor, waiting for some up to wait (a duration); the headers
//	                              Tributary-Cursor and Tributary-Live tell the position behind them
//	POST v1/ask?db=&site=&peer=&max=    the body is what the asker has; frames come back
//	POST v1/serve?db=&site=&session=    waits for a request to answer: 200 with its id, or 204 to come again
//	POST v1/answer?db=&site=&session=&id=   frames, or an error as text with status=error
//	GET  v1/tail?db=&site=        the newest package of a site, without its body, as JSON
//	POST v1/site?db=&site=        what a site tells of itself
//	GET  v1/sites?db=             what all have told, as JSON
//	GET  v1/snapshots?db=         the snapshots that are kept, the newest first, as JSON
//	POST v1/snapshot?db=&site=&id=&size=    a line of JSON, which is what is to be known of it in base64, then the content
//	GET  v1/snapshot?db=&id=      the content of one
//
// Errors are text, with a status: 401 and 403 not permitted, 404 there is no such snapshot, 410 the position is gone, 413
// too large, 421 no peer answered, 422 the snapshot came damaged, 501 the medium cannot do that, 502 the peer's own error,
// 503 the medium behind the handler failed or is closed.
//
// A server that is stopped (http.Server.Shutdown) first has to end the requests that wait: close the handler's transport.
package http
