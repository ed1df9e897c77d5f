Story: Two people could be meant, and a person decides
Configuration: linking

On 2027-03-01 08:00
  hr pushes alice: number 1, email team@corp.example, department Sales
  hr pushes bob: number 2, email team@corp.example, department Sales
  idp pushes ally: number 9, email team@corp.example
Then
  # Nobody is guessed, and who may be somebody else's double gets nothing.
  ally holds nothing
  at chat ally has no account
  ally is a case: alice or bob
  ally has the finding could be
On 2027-03-02 08:00
  the operator links ally to alice
Then
  alice holds employee, sales
  at chat alice has one account only
  ally is nobody that the hub knows

Story: Two people could be meant, and it is neither
Configuration: linking

On 2027-03-01 08:00
  hr pushes alice: number 1, email team@corp.example
  hr pushes bob: number 2, email team@corp.example
  idp pushes carol: number 9, email team@corp.example
On 2027-03-02 08:00
  the operator says that carol is somebody new
Then
  carol has no findings
  # HR has the word on who works here, and does not know her.
  carol holds nothing
On 2027-03-03 08:00
  hr pushes carol: number 9, department Sales
Then
  carol holds employee, sales
  at chat carol has an account

Story: Linked by mistake, taken apart, and linked again
Configuration: linking

On 2027-03-01 08:00
  hr pushes alice: number 1, department Sales
  idp pushes alba: number 1
Then
  alice holds employee, sales
On 2027-03-02 08:00
  the operator unlinks what idp says from alice
Then
  alice holds employee, sales
  at chat alice has the account of before
  alba holds nothing
  at chat alba has no account
# What a person has decided no rule undoes.
On 2027-03-03 08:00
  idp recreates alba: number 1
Then
  alba holds nothing
On 2027-03-04 08:00
  the operator links alba to alice
Then
  alba is nobody that the hub knows
  at chat alice has the account of before

Story: Nobody is linked to themselves
Configuration: linking

On 2027-03-01 08:00
  hr pushes alice: number 1
  the operator links alice to alice
  it is refused: alice
  the operator links alice to nobodyknown
  it is refused: nobodyknown

Story: Who has the word says nothing any more
Configuration: linking

On 2027-03-01 08:00
  hr pushes alice: number 1, department Sales
  idp pushes alice: number 1
On 2027-04-01 08:00
  # HR alone has the word on active, and has deleted her.
  hr deletes alice
Then
  alice is leaver
  at chat alice has no account
  at crm alice has no account

Story: Authority is handed over from one source to another
Configuration: linking

On 2027-03-01 08:00
  hr pushes alice: number 1, department Sales
  idp pushes alice: number 1, department Sales
Then
  alice's department is Sales from hr
On 2027-04-01 08:00
  the operator applies the configuration linking-idp
Then
  alice's department is Sales from idp
  at crm alice has the account of before
On 2027-04-02 08:00
  hr changes alice: department Finance
Then
  alice holds employee, sales
