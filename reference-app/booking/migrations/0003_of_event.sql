-- Of all bookings, not only of those still open or paid: an index on the condition of a status is written again with every
-- change of the booking, this one once. An event is cancelled once, and its bookings are looked at one by one then.
DROP INDEX live_bookings_of_event;
CREATE INDEX bookings_of_event ON bookings (event_id, id);
