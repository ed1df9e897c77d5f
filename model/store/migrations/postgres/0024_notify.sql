-- Events to be told, deliveries
SELECT 1;
