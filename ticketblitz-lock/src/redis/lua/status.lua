-- The whole of what is taken, to be read by the caller.
if not loaded then return { 'NOTLOADED' } end
reclaim_all()
return { 'STATUS', call('HGETALL', TAKEN) }
