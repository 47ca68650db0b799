-- Before everything else in a hold: the usual one, with as few calls as there can be and before any function of the
-- general way is made, which takes the server longer than the hold itself. It is of seats, one candidate, of an event
-- without channels and replaces nothing; and nothing is due, the clock has moved on and the keys are kept long enough. All
-- else goes the general way, which would answer the same here.
do
  local attempt, id, owner, limit, want = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[8]), ARGV[11]
  if #ARGV == 11 and ARGV[9] == '' and #want < 8000 and want:byte() ~= 35 then
    local call, format = redis.call, string.format
    local fields, last = { 'f', 'v', 'x', 'c' }, 4
    for seat in want:gmatch('%S+') do
      last = last + 1
      fields[last] = 's' .. seat
    end
    local found = call('HMGET', KEYS[1], unpack(fields))
    if not found[1] then return { 'NOTLOADED' } end
    local mine = call('HMGET', KEYS[2], 'a' .. attempt, 'o' .. owner)
    local units = (tonumber(mine[2]) or 0) + last - 4
    if not found[4] and not mine[1] and not (limit and units > limit) then
      local clock = call('TIME')
      local now = tonumber(ARGV[1]) or clock[1] * 1000000 + clock[2]
      local conflicts
      for at = 5, last do
        local value = found[at]
        if value then
          local till = tonumber(value:sub(38))
          -- What has lapsed is no conflict; it is due as well, and goes the general way.
          if not till or now < till then
            conflicts = conflicts or { 'UNAVAILABLE' }
            local size = #conflicts
            conflicts[size + 1], conflicts[size + 2] = value:sub(1, 1), fields[at]:sub(2)
            conflicts[size + 3], conflicts[size + 4] = till and format('%d', till - now) or '', ''
          end
        end
      end
      if conflicts then return conflicts end

      local real, keep, kept = clock[1] * 1000 + clock[2] / 1000, tonumber(ARGV[2]), tonumber(found[3])
      local ceiling = math.min(now + ARGV[7], 253402207199999999)
      local fence = format('%020d', now)
      if fence > found[1] and kept >= real + keep * 0.75
        and kept >= real + (ceiling - now) / 1000 + 3600000
        and not call('ZRANGEBYSCORE', KEYS[3], '-inf', format('%d', now), 'LIMIT', 0, 1)[1] then
        local till = math.min(now + ARGV[6], 253402207199999999)
        local till_text, ceiling_text = format('%d', till), format('%d', ceiling)
        local value = 'H' .. id .. till_text
        local pairs = { 'f', fence, 'v', format('%d', found[2] + 1) }
        for at = 5, last do
          pairs[2 * at - 5] = fields[at]
          pairs[2 * at - 4] = value
        end
        call('HSET', KEYS[1], unpack(pairs))
        local record = cmsgpack.pack({ 'H', till, fence, ceiling, '', owner, want, '', attempt })
        call('HSET', KEYS[2], 'h' .. id, record, 'a' .. attempt, id .. ceiling_text, 'o' .. owner, units)
        call('ZADD', KEYS[3], till_text, 'h' .. id)
        return { 'HOLD', format('%d', now), id, 'H', till_text, fence, ceiling_text, owner, want }
      end
    end
  end
end

