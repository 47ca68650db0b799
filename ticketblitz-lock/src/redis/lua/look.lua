-- The events that nobody has looked at for longest. KEYS: events, the stream, its numbers. ARGV: ms to keep, how many
-- events at most. Answers the moment, and with each event the number up to which the stream has what lapsed there.
local clock = redis.call('TIME')
local stamp = string.format('%.0f', clock[1] * 1000000 + clock[2])
local answer = { stamp }
for _, event in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)) do
  redis.call('ZADD', KEYS[1], 'XX', stamp, event)
  answer[#answer + 1] = event
  answer[#answer + 1] = redis.call('HGET', KEYS[3], event) or '0'
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return answer
