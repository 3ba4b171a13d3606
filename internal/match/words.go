package match

import (
	"strings"
	"sync"
)

// legalForms are words of a company's name that say what it is in law. Systems write them or leave them out.
var legalForms = sync.OnceValue(func() map[string]bool {
	return wordSet(`ltd limited pty proprietary inc incorporated llc llp lp plc corp corporation gmbh mbh ag kg
	kgaa ohg ug ek sa sas sasu sarl srl spa snc sl slu sca sc bv nv cv vof bvba sprl ab oy oyj aps asa as is hf ehf sro
	spol doo dd zrt kft nyrt ooo zao oao pte sdn bhd kk gk pvt private lda ltda eirl sab eood ood sia uab ou pbc pc cic
	aktiebolag hb gesellschaft aktiengesellschaft anonyme`)
})

// silentWords are left out of names: systems differ in them and they tell nobody apart.
var silentWords = sync.OnceValue(func() map[string]bool {
	return wordSet("and the et und y e of for in an to on with at by from")
})

// alwaysForm has those legal forms that are nothing else wherever they stand.
var alwaysForm = sync.OnceValue(func() map[string]bool {
	return wordSet("ltd limited pty inc incorporated llc llp plc gmbh sarl srl")
})

// tradeWords returns what stands between a legal name and a trading name, folded.
func tradeWords() []string {
	return []string{" t/a ", " t/as ", " ta/ ", " dba ", " d/b/a ", " d.b.a. ", " trading as ", " doing business as ",
		" formerly ", " formerly known as ", " aka ", " a/k/a "}
}

// spelledOut has the words that names and streets are commonly written with for short.
var spelledOut = sync.OnceValue(func() map[string]string {
	return pairs(`
	co company
	bros brothers bro brothers
	intl international int'l international internat international
	mfg manufacturing mfr manufacturing manuf manufacturing
	svc services svcs services serv services service services
	assn association assoc associates ass associates
	ctr centre center centre cntr centre
	dept department
	dist distribution distr distribution
	ent enterprises entp enterprises enterprise enterprises
	grp group gp group
	hldg holdings hldgs holdings holding holdings
	ind industries inds industries industry industries
	mgmt management mgt management
	mkt market mkts markets
	natl national nat national
	prod products prods products
	rest restaurant restaurante restaurant ristorante restaurant
	tech technology technologies technology
	univ university
	wholesalers wholesale whsle wholesale
	imp imports exp exports
	eng engineering engg engineering
	const construction constr construction
	dev development
	elec electrical
	equip equipment
	govt government
	hosp hospital
	inst institute
	lab laboratory labs laboratory laboratories laboratory
	med medical
	pharm pharmacy
	sys systems system systems
	trdg trading
	transp transport
	theatre theater
	jewelers jewellers jewelry jewellery
	cafeteria cafe caffe cafe
	nz newzealand aust australia au australia deli delicatessen
	dr doctor mt mount ft fort
	gebr gebruder
`)
})

// countryWords are countries that firms have in their names, or not.
var countryWords = sync.OnceValue(func() map[string]bool {
	return wordSet("newzealand australia uk usa canada deutschland france espana italia sverige")
})

// streetShort has the words of streets that are commonly written short, and how they are compared.
var streetShort = sync.OnceValue(func() map[string]string {
	return pairs(`
	street st strasse str str str
	road rd avenue ave av ave drive dr place pl terrace tce ter tce terr tce lane ln crescent cres cr cres
	court ct close cl square sq highway hwy hiway hwy parade pde boulevard blvd blv blvd blvrd blvd
	circuit cct circ cct cir cct circle cct parkway pkwy pky pkwy quay qy esplanade esp grove gr way wy
	mount mt saint st north n south s east e west w northeast ne northwest nw southeast se southwest sw
	apartment apt suite ste floor fl level lvl building bldg number no shop shp
	rue r avenida ave calle c plaza plz piazza pza via v weg wg platz pl
	first 1st second 2nd third 3rd fourth 4th fifth 5th sixth 6th seventh 7th eighth 8th ninth 9th tenth 10th
`)
})

// freeMail are the domains of e-mails that say nothing of whose they are; others are known by how many records have
// them.
var freeMail = sync.OnceValue(func() map[string]bool {
	return wordSet(`gmail.com googlemail.com hotmail.com outlook.com live.com yahoo.com icloud.com me.com aol.com
	xtra.co.nz bigpond.com gmx.de web.de orange.fr free.fr mail.com proton.me protonmail.com msn.com yahoo.co.nz
	yahoo.co.uk hotmail.co.nz hotmail.co.uk outlook.co.nz`)
})

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

func pairs(list string) map[string]string {
	m, words := map[string]string{}, strings.Fields(list)
	for i := 0; i+1 < len(words); i += 2 {
		m[words[i]] = words[i+1]
	}
	return m
}

// streetKinds are words that streets are made with, as streetShort has them: they tell no two apart.
var streetKinds = sync.OnceValue(func() map[string]bool {
	return wordSet(`str rd ave dr pl tce ln cres ct cl sq hwy pde blvd cct pkwy qy esp gr wy apt ste fl lvl bldg no shp
		unit r c plz pza v weg wg de la le du des da do di del der and the n s e w ne nw se sw`)
})
