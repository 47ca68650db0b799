-- The whole of what is taken, to be read by the caller.
if not loaded then return { 'NOTLOADED' } end
if not reclaim_all() then return { 'MORE' } end
return { 'STATUS', call('HGETALL', TAKEN) }
