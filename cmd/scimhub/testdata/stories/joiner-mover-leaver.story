Story: Somebody joins
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales
Then
  alice is active
  alice holds employee, sales
  at chat alice has an account
  at crm alice has an account in sellers
  at git alice has no account
  alice's timeline says joiner

Story: A mover loses what the old department gave, and keeps the rest
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Sales
On 2027-04-01 09:00
  hr changes alice: department Engineering
Then
  alice holds employee, engineer, oncall
  at chat alice has an account
  at crm alice has no account
  at git alice has an account in engineers, oncall
  alice's timeline says joiner, mover

Story: A leaver is off everywhere, and gone from chat after thirty days
Configuration: company

On 2027-03-01 08:00
  hr pushes alice: department Engineering
On 2027-05-31 17:00
  hr changes alice: active false
Then
  alice is leaver
  alice holds nothing
  at chat alice's account is inactive
  at git alice's account is inactive
On 2027-06-29 17:00
Then
  at chat alice's account is inactive
On 2027-06-30 17:01
Then
  at chat alice has no account
  at git alice's account is inactive
  alice's timeline says joiner, leaver
