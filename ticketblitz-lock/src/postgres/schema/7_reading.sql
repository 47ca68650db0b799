-- What is told of all.

-- One row, or none if the event is not loaded. Stable: all is read at one time, which is after the moment that it is judged
-- by. The version is made of the state and of what never comes back: the last fence of each seat and area, each of whose
-- holds only moves on, and the loads.
create or replace function ticketblitz_lock.status_at(
    _event uuid, _moment bigint, out seats text[], out states text[], out sections text[], out capacities bigint[],
    out held bigint[], out paying bigint[], out sold bigint[], out channels text[], out reserved text[], out version bigint
) returns setof record language plpgsql stable as $$
declare
    seat_version bigint;
    area_version bigint;
begin
    select loaded into version from ticketblitz_lock.events where id = _event;
    if not found then
        return;
    end if;
    select array_agg(x.seat) filter (where x.state is not null), array_agg(x.state) filter (where x.state is not null),
           array_agg(x.channel order by x.channel) filter (where x.channel is not null),
           array_agg(x.seat order by x.channel) filter (where x.channel is not null),
           bit_xor(hashtextextended(concat_ws(' ', x.seat, x.fence, x.state), 0))
        into seats, states, channels, reserved, seat_version
        from (
            select s.seat, s.channel, s.fence, h.phase as state from ticketblitz_lock.seats s
            left join lateral (select h.phase from ticketblitz_lock.holds h
                where h.event = _event and h.id = s.hold and h.until > _moment offset 0) h on true
            where s.event = _event
        ) x;
    select array_agg(a.section order by a.section), array_agg(a.capacity order by a.section),
           array_agg(u.held order by a.section), array_agg(u.paying order by a.section),
           array_agg(u.sold order by a.section),
           bit_xor(hashtextextended(concat_ws(' ', a.section, a.capacity, u.held, u.paying, u.sold, a.fence), 1))
        into sections, capacities, held, paying, sold, area_version
        from ticketblitz_lock.areas a
        cross join lateral (
            select coalesce(sum(quantity) filter (where phase = 'held'), 0)::bigint as held,
                   coalesce(sum(quantity) filter (where phase = 'paying'), 0)::bigint as paying,
                   coalesce(sum(quantity) filter (where phase = 'sold'), 0)::bigint as sold
            from ticketblitz_lock.holds h
            where h.event = _event and h.section = a.section and h.phase in ('held', 'paying', 'sold') and h.until > _moment
        ) u
        where a.event = _event;
    version := hashtextextended(concat_ws(' ', version, seat_version, area_version), 2) & 9223372036854775807;
    return next;
end $$;

create or replace function ticketblitz_lock.status(
    _event uuid, _now bigint, out seats text[], out states text[], out sections text[], out capacities bigint[],
    out held bigint[], out paying bigint[], out sold bigint[], out channels text[], out reserved text[], out version bigint
) returns setof record language plpgsql volatile set enable_seqscan = off as $$
declare
    moment bigint := ticketblitz_lock.clock(_now);
begin
    perform ticketblitz_lock.check_isolation();
    return query select * from ticketblitz_lock.status_at(_event, moment);
end $$;

-- What lapsed after the number `_after` (or from the beginning), at most `_most`; at least one row, with nothing but
-- where the answer starts and whether something was missed if there is nothing. Events are looked at in the order of
-- their ids, and only those that nobody is alone with; all of them together give up to 512 holds to one call.
create or replace function ticketblitz_lock.expired(
    _after bigint, _most bigint, _now bigint, out start bigint, out missed boolean, out n bigint, out event uuid,
    out hold uuid, out owner text, out seats text[], out section text, out quantity bigint, out fence text,
    out paying boolean, out until bigint, out ceiling bigint
) returns setof record language plpgsql volatile set enable_seqscan = off as $$
declare
    moment bigint := ticketblitz_lock.clock(_now);
    s ticketblitz_lock.stream;
    lapsed record;
    batch uuid[];
    most int := 512;
begin
    perform ticketblitz_lock.check_isolation();
    for lapsed in
        select e.id from ticketblitz_lock.events e where exists (
            select from ticketblitz_lock.holds h where h.event = e.id and h.phase in ('held', 'paying') and h.until <= moment)
        order by e.id limit 64
    loop
        exit when most <= 0;
        if pg_try_advisory_xact_lock_shared(ticketblitz_lock.key(lapsed.id)) then
            batch := array(
                select h.id from ticketblitz_lock.holds h
                where h.event = lapsed.id and h.phase in ('held', 'paying') and h.until <= moment
                order by h.until, h.id limit least(256, most) for update skip locked);
            perform ticketblitz_lock.lapse(lapsed.id, batch, moment);
            most := most - cardinality(batch);
        end if;
    end loop;
    perform from ticketblitz_lock.expiries e where e.n is null;
    if found then
        perform ticketblitz_lock.tell();
    end if;
    select * into s from ticketblitz_lock.stream where single;
    missed := not coalesce(_after + 1 between s.first and s.next, true);
    start := case when _after is null or missed then s.first else _after + 1 end;
    return query select start, missed, e.n, e.event, e.hold, e.owner, e.seats, e.section, e.quantity, e.fence::text,
            e.paying, e.until, e.ceiling
        from ticketblitz_lock.expiries e where e.n >= start order by e.n limit _most;
    if not found then
        return next;
    end if;
end $$;
