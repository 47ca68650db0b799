-- The operations on one hold.

create or replace function ticketblitz_lock.get(_event uuid, _hold uuid, _now bigint)
returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    moment bigint := ticketblitz_lock.clock(_now);
    h ticketblitz_lock.holds := ticketblitz_lock.find(_event, _hold, false);
begin
    if h.event is null then
        return ticketblitz_lock.refusal('not_loaded', moment);
    elsif ticketblitz_lock.phase_at(h, moment) not in ('held', 'paying') then
        return ticketblitz_lock.refusal('not_held', moment);
    end if;
    return ticketblitz_lock.shown(h, moment);
end $$;

-- What keeps an owner from an operation on a hold; null if nothing does.
create or replace function ticketblitz_lock.obstacle(_hold ticketblitz_lock.holds, _owner text, _moment bigint) returns text
language sql immutable as $$
    select case
        when _hold.event is null then 'not_loaded'
        when ticketblitz_lock.phase_at(_hold, _moment) not in ('held', 'paying') or _hold.owner <> _owner then 'not_held'
        when _hold.phase = 'paying' then 'in_payment'
    end
$$;

-- The operations on one hold look twice: by a plain read, and once they have its row. The clock they read before the first
-- look, so that nobody who put the end off in time is missed; and after the second, when nobody can put it off any more.

create or replace function ticketblitz_lock.extend(_event uuid, _hold uuid, _owner text, _ttl bigint, _now bigint)
returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    h ticketblitz_lock.holds;
    a ticketblitz_lock.answer;
    moment bigint;
    obstacle text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        moment := ticketblitz_lock.clock(_now);
        h := ticketblitz_lock.find(_event, _hold, locked);
        if locked then
            moment := ticketblitz_lock.clock(_now);
        end if;
        obstacle := ticketblitz_lock.obstacle(h, _owner, moment);
        if obstacle is not null then
            return ticketblitz_lock.refusal(obstacle, moment);
        elsif ticketblitz_lock.later(moment, _ttl) > h.ceiling then
            a := ticketblitz_lock.refusal('ceiling', moment);
            a.ceiling := h.ceiling;
            return a;
        end if;
    end loop;
    h.until := ticketblitz_lock.later(moment, _ttl);
    update ticketblitz_lock.holds set until = h.until where event = _event and id = _hold;
    return ticketblitz_lock.shown(h, moment);
end $$;

create or replace function ticketblitz_lock.release(_event uuid, _hold uuid, _owner text, _now bigint)
returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    h ticketblitz_lock.holds;
    moment bigint;
    obstacle text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        moment := ticketblitz_lock.clock(_now);
        h := ticketblitz_lock.find(_event, _hold, locked);
        if locked then
            moment := ticketblitz_lock.clock(_now);
        end if;
        obstacle := ticketblitz_lock.obstacle(h, _owner, moment);
        if obstacle is not null then
            return ticketblitz_lock.refusal(obstacle, moment);
        end if;
    end loop;
    perform ticketblitz_lock.finish(_event, array[h.id], 'gone', moment);
    return ticketblitz_lock.refusal('ok', moment);
end $$;

create or replace function ticketblitz_lock.begin_commit(
    _event uuid, _hold uuid, _owner text, _grace bigint, _now bigint
) returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    h ticketblitz_lock.holds;
    moment bigint;
    obstacle text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        moment := ticketblitz_lock.clock(_now);
        h := ticketblitz_lock.find(_event, _hold, locked);
        if locked then
            moment := ticketblitz_lock.clock(_now);
        end if;
        obstacle := ticketblitz_lock.obstacle(h, _owner, moment);
        if obstacle = 'in_payment' then
            return ticketblitz_lock.shown(h, moment);
        elsif obstacle is not null then
            return ticketblitz_lock.refusal(obstacle, moment);
        end if;
    end loop;
    h.phase := 'paying';
    h.until := ticketblitz_lock.later(moment, _grace);
    update ticketblitz_lock.holds set phase = h.phase, until = h.until where event = _event and id = _hold;
    return ticketblitz_lock.shown(h, moment);
end $$;

create or replace function ticketblitz_lock.abort_commit(_event uuid, _hold uuid, _now bigint)
returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    h ticketblitz_lock.holds;
    moment bigint;
    now_in text;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        moment := ticketblitz_lock.clock(_now);
        h := ticketblitz_lock.find(_event, _hold, locked);
        if locked then
            moment := ticketblitz_lock.clock(_now);
        end if;
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in = 'sold' then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif now_in not in ('held', 'paying') then
            return ticketblitz_lock.refusal('ok', moment);
        end if;
    end loop;
    perform ticketblitz_lock.finish(_event, array[h.id], 'ended', moment);
    return ticketblitz_lock.refusal('ok', moment);
end $$;

create or replace function ticketblitz_lock.sold(
    _event uuid, _hold uuid, _fence numeric, _booking uuid, _now bigint
) returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    h ticketblitz_lock.holds;
    a ticketblitz_lock.answer;
    moment bigint;
    now_in text;
    seen numeric;
    locked boolean;
begin
    foreach locked in array array[false, true] loop
        moment := ticketblitz_lock.clock(_now);
        h := ticketblitz_lock.find(_event, _hold, locked);
        if locked then
            moment := ticketblitz_lock.clock(_now);
        end if;
        now_in := ticketblitz_lock.phase_at(h, moment);
        if h.event is null then
            return ticketblitz_lock.refusal('not_loaded', moment);
        elsif now_in = 'gone' then
            return ticketblitz_lock.refusal('not_held', moment);
        elsif _fence > h.fence then
            return ticketblitz_lock.refusal('no_such_fence', moment);
        elsif _fence < h.fence then
            seen := h.fence;
        elsif now_in = 'lapsed' then
            select max(o.fence) into seen from unnest(h.seats) w (seat) cross join lateral (
                select hold from ticketblitz_lock.seats where event = _event and seat = w.seat offset 0) s
                cross join lateral (select fence from ticketblitz_lock.holds
                    where event = _event and id = s.hold and until > moment offset 0) o;
        elsif now_in = 'sold' and h.booking = _booking then
            return ticketblitz_lock.refusal('ok', moment);
        end if;
        if seen > _fence then
            a := ticketblitz_lock.refusal('stale_fence', moment);
            a.fence := seen::text;
            return a;
        elsif now_in not in ('held', 'paying') then
            return ticketblitz_lock.refusal('not_held', moment);
        end if;
    end loop;
    update ticketblitz_lock.holds set phase = 'sold', until = 9223372036854775807, booking = _booking
        where event = _event and id = _hold;
    return ticketblitz_lock.refusal('ok', moment);
end $$;

create or replace function ticketblitz_lock.reopen(_event uuid, _booking uuid, _now bigint)
returns record language plpgsql volatile set enable_seqscan = off as $$
declare
    bought uuid[];
    moment bigint := ticketblitz_lock.clock(_now);
    locked boolean;
begin
    perform ticketblitz_lock.check_isolation();
    foreach locked in array array[false, true] loop
        if locked then
            perform ticketblitz_lock.lock_event(_event, false);
        end if;
        perform from ticketblitz_lock.events where id = _event;
        if not found then
            return ticketblitz_lock.refusal('not_loaded', moment);
        end if;
        perform from (select phase from ticketblitz_lock.holds
            where booking = _booking and event is not distinct from _event offset 0) h where phase = 'sold';
        if not found then
            return ticketblitz_lock.refusal('ok', moment);
        end if;
    end loop;
    moment := ticketblitz_lock.clock(_now);
    -- In the index's order, whoever asks: to sort by id, a plan might go through all ids.
    bought := array(select h.id from (select id, phase from ticketblitz_lock.holds
        where booking = _booking and event is not distinct from _event
        offset 0 for update) h where phase = 'sold');
    perform ticketblitz_lock.finish(_event, bought, 'ended', moment);
    return ticketblitz_lock.refusal('ok', moment);
end $$;
