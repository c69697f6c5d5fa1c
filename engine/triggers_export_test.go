package engine

// For the tests in package engine_test, which need a host, and hosts import this package.
var (
	ReadTable      = readTable
	ListTables     = listTables
	Trackable      = trackable
	TrackWarnings  = trackWarnings
	TriggerSQL     = triggerSQL
	TriggerNames   = triggerNames
	TriggerColumns = triggerColumns
)

type TableSchema = tableSchema
