-- Making a hold.

-- The units that count against an owner's limit; what has lapsed and is not ended is among them.
create or replace function ticketblitz_lock.counted(_event uuid, _owner text) returns bigint
language plpgsql volatile as $$
declare
    units bigint;
begin
    select coalesce(sum(quantity), 0) into units from ticketblitz_lock.holds
        where event = _event and owner = _owner and phase in ('held', 'paying', 'sold');
    return units;
end $$;

-- What a request for a hold gets by what is committed now: `free` with the candidate, or its refusal, or the hold that its
-- attempt made before. Stable: all that it reads is of one moment.
create or replace function ticketblitz_lock.judge(
    _event uuid, _attempt uuid, _owner text, _limit bigint, _seats text[], _ends int[], _sections text[],
    _quantities bigint[], _candidates text, _channels text[], _replacing uuid, _moment bigint
) returns ticketblitz_lock.answer language plpgsql stable as $$
declare
    a ticketblitz_lock.answer;
    h ticketblitz_lock.holds;
    old ticketblitz_lock.holds;
    taken_by uuid;
    channel text;
    state text;
    lapses bigint;
    units bigint;
    counted bigint := 0;
    really bigint := 0;
    room bigint;
    more bigint;
    since int := 0;
    over boolean := false;
    clear boolean;
    -- Not in the answer until the end: to append to a field of it copies the whole.
    blocked text[];
    states text[];
    untils bigint[];
begin
    a.moment := _moment;
    perform from ticketblitz_lock.events where id = _event;
    if not found then
        a.code := 'not_loaded';
        return a;
    end if;

    select * into h from ticketblitz_lock.holds where event = _event and attempt = _attempt;
    if found then
        if h.phase in ('held', 'paying') and h.until > _moment then
            if h.owner <> _owner or h.candidates is distinct from _candidates or _candidates is null and
                (h.section is distinct from _sections[1] or h.seats <> _seats or
                 h.section is not null and h.quantity <> _quantities[1])
            then
                a.code := 'attempt_reused';
                return a;
            end if;
            return ticketblitz_lock.shown(h, _moment);
        elsif h.attempt_until > _moment then
            a.code := 'attempt_lapsed';
            return a;
        end if;
        a.stale := true;
    end if;

    if _replacing is not null then
        select * into old from ticketblitz_lock.holds where event = _event and id = _replacing;
        if not found or old.phase not in ('held', 'paying') or old.until <= _moment or old.owner <> _owner then
            a.code := 'not_held';
            return a;
        elsif old.phase = 'paying' then
            a.code := 'in_payment';
            return a;
        end if;
    end if;

    if _limit is not null then
        select coalesce(sum(quantity), 0), coalesce(sum(quantity) filter (where until > _moment), 0) into counted, really
            from ticketblitz_lock.holds
            where event = _event and owner = _owner and phase in ('held', 'paying', 'sold')
                and id is distinct from _replacing;
    end if;

    for i in 1 .. cardinality(_ends) loop
        units := case when _sections[i] is null then _ends[i] - since else _quantities[i] end;
        if really + units > _limit then
            over := true;
            since := _ends[i];
            continue;
        end if;
        clear := true;
        a.lapsed := coalesce(counted + units > _limit, false);
        if _sections[i] is not null then
            select capacity - taken into room from ticketblitz_lock.areas where event = _event and section = _sections[i];
            if not found then
                a.code := 'no_area';
                a.section := _sections[i];
                return a;
            end if;
            if old.section = _sections[i] then
                room := room + old.quantity;
            end if;
            if room < units then
                -- Every hold has a unit at least, so more rows than units are missing need not be looked at.
                select coalesce(sum(q.quantity), 0) into more from (
                    select quantity from ticketblitz_lock.holds
                    where event = _event and section = _sections[i] and phase in ('held', 'paying') and until <= _moment
                    order by until limit units - room
                ) q;
                a.lapsed := true;
                room := room + more;
            end if;
            if room < units then
                clear := false;
                a.sections := a.sections || _sections[i];
                a.requested := a.requested || units;
                a.available := a.available || greatest(room, 0);
            end if;
        else
            for place in since + 1 .. _ends[i] loop
                select t.hold, t.channel, by.phase, by.until into taken_by, channel, state, lapses
                    from ticketblitz_lock.seats t
                    left join lateral (select o.phase, o.until from ticketblitz_lock.holds o
                        where o.event = _event and o.id = t.hold offset 0) by on true
                    where t.event = _event and t.seat = _seats[place];
                continue when not found;
                if channel is not null and not channel = any (_channels) then
                    state := 'reserved';
                elsif taken_by is null or taken_by = _replacing then
                    continue;
                elsif lapses <= _moment then
                    a.lapsed := true;
                    continue;
                end if;
                clear := false;
                blocked := blocked || _seats[place];
                states := states || state;
                untils := untils || lapses;
            end loop;
        end if;
        if clear then
            a.code := 'free';
            a.choice := i;
            return a;
        end if;
        since := _ends[i];
    end loop;
    a.blocked := blocked;
    a.states := states;
    a.untils := untils;
    a.code := case when over and blocked is null and a.sections is null then 'limit' else 'unavailable' end;
    a.taken := really;
    return a;
end $$;

-- Ends what has lapsed and stands in the way of a new hold, and a batch of what else has. The caller is alone.
create or replace function ticketblitz_lock.make_room(
    _event uuid, _owner text, _seats text[], _section text, _quantity bigint, _moment bigint
) returns void language plpgsql volatile as $$
begin
    perform ticketblitz_lock.lapse(_event, array(
        select s.hold from unnest(_seats) w (seat) cross join lateral (select hold from ticketblitz_lock.seats
            where event = _event and seat = w.seat and hold is not null offset 0) s
        union (select id from ticketblitz_lock.holds where event = _event and phase in ('held', 'paying')
            and until <= _moment order by until limit 64)
        union (select id from ticketblitz_lock.holds where event = _event and section = _section
            and phase in ('held', 'paying') and until <= _moment order by until
            -- A capacity that was lowered may leave more units than these to be given back first.
            limit greatest(64 + _quantity, _quantity - (select capacity - taken from ticketblitz_lock.areas
                where event = _event and section = _section)))
        union (select id from ticketblitz_lock.holds where event = _event and owner = _owner
            and phase in ('held', 'paying', 'sold') and until <= _moment limit 64)), _moment);
end $$;

-- What stands in the way of a usual request, of seats and with one candidate, by one read of one moment; null if nothing does,
-- no row if the event is not loaded. What judge() is for is unusual: an attempt that is known, something that has lapsed, a
-- limit that is near. Whoever asks has this inlined into their own plan, so that it is no call: in SQL, neither strict nor with
-- settings, and what it is given has no subquery.
create or replace function ticketblitz_lock.in_the_way(
    _event uuid, _attempt uuid, _owner text, _limit bigint, _seats text[], _channels text[], _moment bigint
) returns table (blocked text[], states text[], untils bigint[], unusual boolean) language sql stable as $$
    select s.blocked, s.states, s.untils, coalesce(s.lapsed, false)
               -- As a value: `exists` may be planned as a look at all attempts of the event.
               or (select true from ticketblitz_lock.holds where event = _event and attempt = _attempt) is not null
               or case when _limit is null then false else (
                   select coalesce(sum(quantity), 0) from ticketblitz_lock.holds
                   where event = _event and owner = _owner and phase in ('held', 'paying', 'sold')
               ) + cardinality(_seats) > _limit end
        from ticketblitz_lock.events e cross join lateral (
            select array_agg(w.seat) filter (where t.taken) as blocked,
                   array_agg(t.state) filter (where t.taken) as states,
                   array_agg(t.until) filter (where t.taken) as untils,
                   bool_or(t.lapsed) as lapsed
            from unnest(_seats) w (seat) cross join lateral (
                select r.reserved or s.hold is not null as taken,
                       case when r.reserved then 'reserved' else by.phase end as state, by.until,
                       not r.reserved and by.until <= _moment as lapsed
                from ticketblitz_lock.seats s
                cross join lateral (select s.channel is not null and not s.channel = any (_channels)) r (reserved)
                left join lateral (select h.phase, h.until from ticketblitz_lock.holds h
                    where h.event = _event and h.id = s.hold offset 0) by on true
                where s.event = _event and s.seat = w.seat offset 0) t
        ) s
        where e.id = _event
$$;

-- Those of several usual requests that lose by what is committed now, each with its place and what it loses by: what hold()
-- would answer. The others, and all if the event is not loaded, are for hold(). The seats of all are in one array, and `_ends`
-- says where each one's end. Stable: all that it reads is of one moment.
create or replace function ticketblitz_lock.losers(
    _event uuid, _attempts uuid[], _owners text[], _limits bigint[], _seats text[], _ends int[], _now bigint,
    out place int, out blocked text[], out states text[], out untils bigint[], out moment bigint
) returns setof record language plpgsql stable
set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
    moment := ticketblitz_lock.clock(_now);
    return query select r.place::int, f.blocked, f.states, f.untils, moment
        from unnest(_attempts, _owners, _limits, _ends) with ordinality r (attempt, owner, most, last, place)
        cross join lateral ticketblitz_lock.in_the_way(_event, r.attempt, r.owner, r.most,
            _seats[coalesce(_ends[r.place::int - 1], 0) + 1 : r.last], '{}', moment) f
        where f.blocked is not null and not f.unusual;
end $$;

-- The usual request is judged by one read, and what judge() is for goes there: candidates, areas, a replaced hold, and what
-- in_the_way() finds unusual.
create or replace function ticketblitz_lock.hold(
    _event uuid, _id uuid, _attempt uuid, _owner text, _ttl bigint, _ceiling bigint, _limit bigint, _seats text[],
    _ends int[], _sections text[], _quantities bigint[], _candidates text, _channels text[], _replacing uuid, _now bigint
) returns record language plpgsql volatile
set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
    a ticketblitz_lock.answer;
    old ticketblitz_lock.holds;
    key bigint := ticketblitz_lock.key(_event);
    moment bigint;
    unusual boolean;
    alone boolean := _replacing is not null;
    choice int := 1;
    wanted text[] := _seats;
    area text;
    units bigint := cardinality(_seats);
    new_fence numeric;
    given numeric;
    new_until bigint;
    new_ceiling bigint;
    due boolean;
    written bigint;
    nothing text;
begin
    -- Who waited for a lock has to see what was written meanwhile.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'the seat locks need the isolation level read committed';
    end if;
    for try in 1 .. 4 loop
        moment := ticketblitz_lock.clock(_now);
        unusual := try > 1 or _candidates is not null or _sections[1] is not null or alone;
        if not unusual then
            select f.blocked, f.states, f.untils, f.unusual into a.blocked, a.states, a.untils, unusual
                from ticketblitz_lock.in_the_way(_event, _attempt, _owner, _limit, _seats, _channels, moment) f;
            a.moment := moment;
            if unusual is null then
                a.code := 'not_loaded';
                return a;
            elsif not unusual and a.blocked is not null then
                a.code := 'unavailable';
                return a;
            end if;
        end if;
        if unusual then
            a := ticketblitz_lock.judge(_event, _attempt, _owner, _limit, _seats, _ends, _sections, _quantities, _candidates,
                _channels, _replacing, moment);
            if a.code <> 'free' then
                return a;
            end if;
            alone := alone or a.lapsed or try = 4;
        end if;

        -- Undone, its locks too, if what was read is no longer true.
        begin
            if alone then
                perform pg_advisory_xact_lock(key);
                -- The last look: what is live by it is so to the end.
                moment := ticketblitz_lock.clock(_now);
                a := ticketblitz_lock.judge(_event, _attempt, _owner, _limit, _seats, _ends, _sections, _quantities,
                    _candidates, _channels, _replacing, moment);
                if a.code <> 'free' then
                    return a;
                end if;
            else
                -- As text it is an expression, for which plpgsql starts no statement.
                nothing := pg_advisory_xact_lock_shared(key)::text;
                if _limit is not null then
                    nothing := pg_advisory_xact_lock(hashtextextended('owner ' || _owner, key))::text;
                end if;
                moment := ticketblitz_lock.clock(_now);
            end if;
            if unusual then
                choice := a.choice;
                area := _sections[choice];
                wanted := case when area is null
                    then _seats[coalesce(_ends[choice - 1], 0) + 1 : _ends[choice]] else '{}' end;
                units := coalesce(_quantities[choice], cardinality(wanted));
            end if;
            if _limit is not null and not alone and ticketblitz_lock.counted(_event, _owner) + units > _limit then
                raise exception using errcode = 'TB001', message = 'the limit was reached meanwhile';
            end if;
            -- A fence higher than those of the same seats, and of all holds of the event that were made before this began.
            select greatest(moment, e.fence_floor + 1,
                    (select fence + 1 from ticketblitz_lock.holds where event = _event and fence >= 0
                     order by fence desc limit 1),
                    (select max(s.fence) + 1 from unnest(wanted) w (seat) cross join lateral (
                        select fence from ticketblitz_lock.seats where event = _event and seat = w.seat offset 0) s)),
                   exists (select from ticketblitz_lock.holds where event = _event and forget_at <= moment)
                       or (select noticed from ticketblitz_lock.expiries where n is null order by id limit 1)
                           < moment - 60000000
                into new_fence, due from ticketblitz_lock.events e where e.id = _event;
            if not found then
                raise exception using errcode = 'TB001', message = 'the event was unloaded meanwhile';
            end if;
            new_fence := least(new_fence, 18446744073709551615);
            new_ceiling := ticketblitz_lock.later(moment, _ceiling);
            if alone then
                perform ticketblitz_lock.make_room(_event, _owner, wanted, area, units, moment);
                if _replacing is not null then
                    select * into old from ticketblitz_lock.holds where event = _event and id = _replacing;
                    perform ticketblitz_lock.finish(_event, array[_replacing], 'gone', moment);
                    new_ceiling := least(new_ceiling, old.ceiling);
                end if;
            end if;
            if a.stale then
                update ticketblitz_lock.holds set attempt = null where event = _event and attempt = _attempt;
            end if;
            new_until := least(ticketblitz_lock.later(moment, _ttl), new_ceiling);
            insert into ticketblitz_lock.holds (event, id, owner, seats, section, quantity, fence, phase, until, ceiling,
                    attempt, candidates, attempt_until)
                values (_event, _id, _owner, wanted, area, units, new_fence, 'held', new_until, new_ceiling, _attempt,
                    _candidates, new_ceiling);
            if area is null then
                insert into ticketblitz_lock.seats as s (event, seat, hold, fence)
                    select _event, seat, _id, new_fence from unnest(wanted) seat order by seat collate "C"
                    on conflict (event, seat) do update set hold = excluded.hold, fence = excluded.fence
                        where s.hold is null and (s.channel is null or s.channel = any (_channels))
                            and (s.fence < excluded.fence or excluded.fence = 18446744073709551615);
                get diagnostics written = row_count;
                if written <> units then
                    raise exception using errcode = 'TB001', message = 'a seat or a unit was taken meanwhile';
                end if;
            else
                update ticketblitz_lock.areas set taken = taken + units,
                        fence = least(greatest(new_fence, fence + 1), 18446744073709551615)
                    where event = _event and section = area and capacity - taken >= units
                    returning fence into given;
                if not found then
                    raise exception using errcode = 'TB001', message = 'a seat or a unit was taken meanwhile';
                elsif given > new_fence then
                    new_fence := given;
                    update ticketblitz_lock.holds set fence = given where event = _event and id = _id;
                end if;
            end if;
            if due then
                perform ticketblitz_lock.tidy(_event, new_fence, moment);
            end if;
            a := null;
            a.code := 'ok';
            a.hold := _id;
            a.owner := _owner;
            a.seats := wanted;
            a.section := area;
            a.quantity := units;
            a.fence := new_fence;
            a.paying := false;
            a.until := new_until;
            a.ceiling := new_ceiling;
            a.moment := moment;
            return a;
        exception
            -- The attempt was made by somebody else meanwhile; or a seat, a unit, the limit or the event is gone.
            when unique_violation or sqlstate 'TB001' then
                if alone then
                    raise;
                end if;
        end;
    end loop;
end $$;
