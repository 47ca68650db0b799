-- ARGV: hold, owner, ttl.
if not loaded then return { 'NOTLOADED' } end
local id = ARGV[3]
local record, refusal = owned(id, ARGV[4])
if refusal then return refusal end
if record[PHASE] == 'P' then return { 'INPAYMENT' } end
local till = later(tonumber(ARGV[5]))
if till > record[CEILING] then return { 'CEILING', number(record[CEILING]) } end
advance(id, record, 'H', till)
reclaim(BATCH)
finish(till)
return answer(id, record)
